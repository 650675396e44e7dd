// Tags from what was typed or pasted.

/** Characters of a tag, and tags of a photo, at most: the service refuses more. */
const LONGEST = 255;
const MOST = 100;

const SEPARATOR = /[,;\t\r\n\u2028\u2029،؛、，；]/u;
const UNSEEN = /[\u0000-\u0008\u000e-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;

/** Cleans a tag like those of tables: NFC, single blanks, nothing unseen, without the # of a hashtag. */
function clean(tag) {
  const seen = tag.replace(UNSEEN, "").replace(/\s+/gu, " ").normalize("NFC");
  return seen.replace(/^[ \u200c\u200d]+|[ \u200c\u200d]+$/gu, "").replace(/^#+(?=\p{L})/u, "");
}

/** Splits a text at commas, semicolons and line breaks into tags. */
export const split = (text) => [...new Set(text.split(SEPARATOR).map(clean).filter(Boolean))];

/** Returns the tags before the one that is being typed, and that one. */
export function beingTyped(text) {
  const parts = text.split(SEPARATOR);
  return [parts.slice(0, -1).join(","), clean(parts.at(-1))];
}

/** Returns the reason why photos cannot have some more tags, or null. */
export function fault(tags, photos) {
  const long = tags.find((tag) => [...tag].length > LONGEST);
  if (long) return `A tag has at most ${LONGEST} letters; this one has ${[...long].length}.`;
  const full = photos.find((photo) => new Set([...photo.tags, ...tags]).size > MOST);
  return full ? `A photo has at most ${MOST} tags.` : null;
}

/** Makes a field, which has one line, keep the line breaks of what is pasted as commas. */
export function keepLines(input) {
  input.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text/plain");
    if (!/[\r\n]/.test(text.trim())) return;
    event.preventDefault();
    const line = text.trim().replace(/\s*[\r\n]\s*/g, ", ");
    input.setRangeText(line, input.selectionStart, input.selectionEnd, "end");
    input.dispatchEvent(new Event("input"));
  });
}
