// Tags from what was typed or pasted.

/** Characters of a tag, and tags of a photo, at most: the service refuses more. */
const LONGEST = 255;
const MOST = 100;

const SEPARATOR = /[,;\t\r\n\u2028\u2029،؛、，；]/u;
// As in pipeline/data/names.py: joiners and fillers belong to a tag inside it, invisible letters to a black flag.
const JOINERS = "\u034f\u115f\u1160\u200c\u200d\u3164\uffa0";
const CONTROLS = "[\\0-\\x08\\x0e-\\x1f\\x7f-\\x84\\x86-\\x9f\\ufff9-\\ufffb]";
const UNSEEN = new RegExp(
  `(🏴[\\u{e0020}-\\u{e007f}]+)|\\x1b\\[[0-?]*[ -/]*[@-~]|(?![${JOINERS}])\\p{DI}|\\p{NChar}|\\p{Cs}|${CONTROLS}`,
  "gu",
);
const ENDS = new RegExp(`^[ ${JOINERS}]+|[ ${JOINERS}]+$`, "gu");

/** Makes the spelling of a tag that the service keeps: NFC, single blanks, nothing unseen. */
export const normalise = (tag) =>
  tag.replace(UNSEEN, "$1").normalize("NFC").replace(/[\s\x85\u2800]+/gu, " ").replace(ENDS, "");

/** Cleans a tag like those of tables, where a # before a letter is no part of it. */
const clean = (tag) => normalise(normalise(tag).replace(/^#+(?=\p{L})/u, ""));

/** Cuts a text to its last letters, and leaves no half of one. */
export const lastLetters = (text, most) => [...text].slice(-most).join("").replace(/\p{Cs}/gu, "\ufffd");

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

/** Says whether a letter, if there is one, parts tags already. */
const isParted = (letter) => !letter || SEPARATOR.test(letter);

/** Makes a field, which has one line, keep the line breaks of what is pasted as commas. */
export function keepLines(input) {
  input.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text/plain");
    if (!/[\r\n]/.test(text)) return;
    event.preventDefault();
    const { selectionStart: start, selectionEnd: end, value } = input;
    const before = /^\s*[\r\n]/.test(text) && !isParted(value.slice(0, start).trim().at(-1)) ? ", " : "";
    const after = /[\r\n]\s*$/.test(text) && !isParted(value.slice(end).trim().at(0)) ? ", " : "";
    const line = text.trim().replace(/\s*[\r\n]\s*/g, ", ");
    input.setRangeText(before + line + after, start, end, "end");
    input.dispatchEvent(new Event("input"));
  });
}
