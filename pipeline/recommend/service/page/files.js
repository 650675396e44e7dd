// Photos from a drop, a folder or a choice of files.

import { count, isolated } from "./dom.js";
import { lastLetters } from "./typed.js";

const PHOTO = /\.(avif|bmp|gif|hei[cf]|jfif|jpe?g?|png|tiff?|webp)$/i;
const HIDDEN = /(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini)$/i;
const NAMED = 3;

/** Lists the photos of a choice, with their paths below the chosen folder, and the names of the other files. */
export function fromInput(input) {
  return sorted([...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
}

/** Lists the photos of a drop, folders with all that is in them, and the names of the other files. */
export async function fromDrop(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = entries.length ? [] : [...transfer.files].map((file) => ({ file, name: file.name }));
  for (const entry of entries) await walk(entry, found);
  return sorted(found);
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, name: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A hundred at a time, until there are none.
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return;
    for (const each of entries) await walk(each, found);
  }
}

const shortened = (name) => ([...name].length > 60 ? `…${lastLetters(name, 59)}` : name);

/** Says which files are not photos, in a sentence; empty when all are. */
export function notPhotos(names) {
  if (!names.length) return "";
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  const listed = names.slice(0, NAMED).map((name) => isolated(shortened(name))).join(", ");
  return `${count(names.length, "file")} ${names.length === 1 ? "is not a photo" : "are not photos"}: ${listed}${more}.`;
}

function sorted(files) {
  const isPhoto = ({ file, name }) => PHOTO.test(name) || file.type.startsWith("image/");
  const seen = files
    .filter(({ name }) => !HIDDEN.test(name))
    .sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  return { photos: seen.filter(isPhoto), others: seen.filter((each) => !isPhoto(each)).map(({ name }) => name) };
}
