"""Keywords and sidecars as other programs write them."""

HISTORY = "".join(
    f'<rdf:li darktable:num="{number}" darktable:operation="op{number}" darktable:params="gz11eJx{number}=="/>\n'
    for number in range(13)
)

DARKTABLE = f"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:darktable="http://darktable.sf.net/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:my="http://example.org/my thing/"
    exif:DateTimeOriginal="2019:08:31 17:32:12" xmp:Rating="4" darktable:xmp_version="5"
    my:attribute="x &quot;y&quot; &amp;amp; &#10; z">
   <darktable:masks_history><rdf:Seq/></darktable:masks_history>
   <darktable:history><rdf:Seq>{HISTORY}</rdf:Seq></darktable:history>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Tïtle</rdf:li><rdf:li xml:lang="de-DE">Titel</rdf:li></rdf:Alt>
   </dc:title>
   <dc:creator><rdf:Seq><rdf:li>Me, myself</rdf:li></rdf:Seq></dc:creator>
   <my:note rdf:parseType="Resource"><my:a>1</my:a><my:b rdf:parseType="Resource"><my:c> 2 </my:c></my:b></my:note>
   <my:nested><rdf:Bag><rdf:li><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></rdf:li></rdf:Bag></my:nested>
   <dc:subject><rdf:Bag><rdf:li>old</rdf:li></rdf:Bag></dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
"""A sidecar of darktable, with fields that nobody else knows."""

FORMS = (
    "{}, {}",
    '"{}" {}',
    "'{}' {}",
    "🌅 {}{}",
    "👩‍👩‍👧 {} 🇩🇪 {}",
    "שלום {} {}",
    "مرحبا {}، {}",
    "日本{}語{}",
    "{}/{}",
    "{}|{}",
    "x{}/y/z{}",
    "<{}&amp;{}>",
    "{}; {}",
    "#{} 50 % {}",
    "C:\\{}\\{}",
    "=SUM({},{})",
    "-{} -{}",
    "{}={}",
    "naïve {} ﬁ {}",
    "{} {}",
)
MADE_TAGS = ["a/b", "a|b", *(form.format(f"a{n}", f"b{n}") for n in range(10) for form in FORMS)][:200]
"""Two hundred tags with everything that some program takes for syntax."""
