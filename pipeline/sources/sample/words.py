"""The words that people use for what they see: for each concept one in each of DIALECTS."""

DIALECTS = ("plain", "fond", "german")

THING_WORDS: dict[str, tuple[str, str, str]] = {
    "person": ("people", "portrait", "mensch"),
    "bicycle": ("bicycle", "bike", "fahrrad"),
    "car": ("car", "ride", "auto"),
    "airplane": ("airplane", "jet", "flugzeug"),
    "bus": ("bus", "coach", "omnibus"),
    "train": ("train", "railway", "zug"),
    "truck": ("truck", "lorry", "lastwagen"),
    "boat": ("boat", "ship", "boot"),
    "traffic light": ("trafficlight", "lights", "ampel"),
    "stop sign": ("stopsign", "stop", "schild"),
    "bench": ("bench", "seat", "parkbank"),
    "bird": ("bird", "birdie", "vogel"),
    "cat": ("cat", "kitty", "katze"),
    "dog": ("dog", "puppy", "hund"),
    "horse": ("horse", "pony", "pferd"),
    "sheep": ("sheep", "lamb", "schaf"),
    "cow": ("cow", "cattle", "kuh"),
    "elephant": ("elephant", "jumbo", "elefant"),
    "zebra": ("zebra", "stripes", "zebras"),
    "giraffe": ("giraffe", "longneck", "giraffen"),
    "umbrella": ("umbrella", "parasol", "schirm"),
    "sports ball": ("ball", "sports", "spielball"),
    "kite": ("kite", "kiteflying", "drachen"),
    "surfboard": ("surfboard", "surfing", "surfbrett"),
    "bottle": ("bottle", "drinks", "flasche"),
    "cup": ("cup", "coffee", "kaffee"),
    "banana": ("banana", "bananas", "banane"),
    "apple": ("apple", "fruit", "apfel"),
    "pizza": ("pizza", "dinner", "abendessen"),
    "donut": ("donut", "sweets", "krapfen"),
    "cake": ("cake", "birthday", "torte"),
    "chair": ("chair", "furniture", "stuhl"),
    "potted plant": ("plant", "greenery", "pflanze"),
    "tv": ("tv", "television", "fernseher"),
    "laptop": ("laptop", "computer", "rechner"),
    "clock": ("clock", "time", "uhr"),
    "teddy bear": ("teddybear", "cuddly", "teddy"),
}
PLACE_WORDS: dict[str, tuple[str, str, str]] = {
    "beach": ("beach", "seaside", "strand"),
    "sea": ("sea", "ocean", "meer"),
    "mountains": ("mountains", "peaks", "berge"),
    "snow": ("snow", "winter", "schnee"),
    "forest": ("forest", "woods", "wald"),
    "field": ("field", "countryside", "wiese"),
    "savanna": ("savanna", "safari", "savanne"),
    "city": ("city", "urban", "stadt"),
    "room": ("indoors", "home", "wohnung"),
    "kitchen": ("kitchen", "food", "essen"),
}
TIME_WORDS: dict[str, tuple[str, str, str]] = {
    "dawn": ("dawn", "morning", "morgen"),
    "day": ("daylight", "sunny", "sonnig"),
    "sunset": ("sunset", "goldenhour", "abendrot"),
    "night": ("night", "dark", "nacht"),
}
MOOD_WORDS: dict[str, tuple[str, str, str]] = {
    "red": ("red", "crimson", "rot"),
    "orange": ("orange", "amber", "orangerot"),
    "yellow": ("yellow", "golden", "gelb"),
    "green": ("green", "lush", "grün"),
    "blue": ("blue", "azure", "blau"),
    "purple": ("purple", "violet", "lila"),
    "pink": ("pink", "rosy", "rosa"),
    "mono": ("blackandwhite", "mono", "schwarzweiss"),
}
CAMERA_WORDS = ("canon", "nikon", "iphone", "leica", "sony", "fujifilm", "olympus", "pentax")
HABIT_WORDS = ("explore", "holiday", "friends", "square", "film", "flash", "weekend", "family", "art", "macro")

NAMES = (
    *("anna", "ben", "clara", "david", "emma", "felix", "greta", "hugo", "ida", "jonas", "kim", "lena", "max", "nora"),
    *("oskar", "paula", "quinn", "rosa", "samir", "tilda", "umar", "vera", "wanda", "xaver", "yara", "zoe", "amir"),
    *("bea", "carlo", "dora", "elif", "fritz", "gina", "hana", "ivan", "jule", "karl", "lotte", "milan", "nina"),
)
"""Users' names; when they are used up, a number follows."""
