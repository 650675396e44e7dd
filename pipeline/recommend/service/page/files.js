// Photos from a drop, a folder or a choice of files.

const PHOTO = /\.(avif|bmp|gif|jpe?g|png|tiff?|webp)$/i;

/** Lists the photos of a choice, with their paths below the chosen folder. */
export function fromInput(input) {
  return sorted([...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
}

/** Lists the photos of a drop, folders with all that is in them. */
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

const sorted = (files) =>
  files
    .filter(({ file, name }) => PHOTO.test(name) || file.type.startsWith("image/"))
    .sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
