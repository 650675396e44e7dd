// The photos of this visit: what is known of each, what was taken on it, and what is saved.

import * as api from "./api.js";

const COUNT = 10;
const AT_ONCE = 3;

export const photos = [];
export const state = { user: "", current: 0, limits: null, learned: 0 };
export const changes = new EventTarget();

export const changed = (photo = null) => changes.dispatchEvent(new CustomEvent("change", { detail: photo }));

// Photos that wait for suggestions, and the number of those that the service is asked about now.
let waiting = [];
let running = 0;

/** Adds files, and has them seen one after another. */
export function add(files) {
  for (const { file, name } of files) {
    const photo = {
      file, name, url: URL.createObjectURL(file), hash: null, state: "waiting", error: null, suggestions: [], tags: [],
      rejected: [], saved: "[]", by: null, post: null, saving: Promise.resolve(), shown: new Map(), selected: false, asked: 0,
      learned: 0,
    };
    photo.seen = new Promise((resolve) => (photo.settle = resolve));
    photos.push(photo);
    waiting.push(photo);
  }
  changed();
  work();
}

/** Asks the service about photos that wait, few at once: thousands may. */
function work() {
  while (running < AT_ONCE && waiting.length) {
    const photo = waiting.shift();
    running++;
    (photo.hash ? ask(photo, () => api.rank(photo, wish(photo))) : see(photo)).finally(() => {
      running--;
      work();
    });
  }
}

async function see(photo) {
  photo.state = "seeing";
  changed(photo);
  if (state.limits && photo.file.size > state.limits.photo_bytes) {
    fail(photo, `larger than ${Math.round(state.limits.photo_bytes / 1e6)} MB`);
    return;
  }
  await ask(photo, () => api.suggest(photo.file, wish(photo)));
}

/** Has photos ranked again: something was taken, rejected or learned, or the user is another. */
function refresh(...again) {
  const ready = again.filter((photo) => photo.hash && photo.state !== "failed");
  const first = photos[state.current];
  waiting = [...new Set([...ready.filter((photo) => photo === first), ...waiting, ...ready])];
  work();
}

/** Returns the user of a photo: the one it was saved for, else the present one. */
export const owner = (photo) => photo.by ?? state.user;

const wish = (photo) => ({ user: owner(photo), given: photo.tags, exclude: photo.rejected, count: COUNT });

async function ask(photo, request) {
  const number = ++photo.asked;
  const learned = state.learned;
  try {
    const answer = await request();
    photo.hash = answer.hash;
    if (!answer.error) photo.settle();
    if (number !== photo.asked) return; // A later question is under way.
    if (answer.error) return fail(photo, answer.error);
    photo.learned = learned;
    photo.state = "ready";
    photo.error = null;
    // Something may have been taken before there were any.
    photo.suggestions = answer.suggestions.filter(({ tag }) => !photo.tags.includes(tag) && !photo.rejected.includes(tag));
    for (const { tag, probability } of answer.suggestions) photo.shown.set(tag, probability);
    changed(photo);
  } catch (error) {
    if (photo.state === "ready") photo.error = error.message;
    else fail(photo, error.message);
    changed(photo);
  }
}

function fail(photo, reason) {
  photo.state = "failed";
  photo.error = reason;
  photo.settle();
  changed(photo);
}

export function take(photo, tag) {
  if (photo.tags.includes(tag) || photo.state === "failed") return;
  photo.tags.push(tag);
  photo.rejected = photo.rejected.filter((each) => each !== tag);
  drop(photo, tag);
}

export function putBack(photo, tag) {
  photo.tags = photo.tags.filter((each) => each !== tag);
  photo.post = null;
  changed(photo);
  refresh(photo);
}

export function reject(photo, tag) {
  photo.rejected.push(tag);
  drop(photo, tag);
}

export function bringBack(photo, tag) {
  photo.rejected = photo.rejected.filter((each) => each !== tag);
  changed(photo);
  refresh(photo);
}

function drop(photo, tag) {
  photo.suggestions = photo.suggestions.filter((each) => each.tag !== tag);
  photo.post = null;
  changed(photo);
  refresh(photo);
}

export const isSaved = (photo) => photo.saved !== "[]" && photo.saved === JSON.stringify(photo.tags);
const isLost = (photo) => photo.state === "failed";
export const isDirty = (photo) => !isLost(photo) && photo.saved !== JSON.stringify(photo.tags);

/**
 * Saves what was taken on a photo, for its user or else the given one. Without tags, an earlier post is taken back.
 * Waits until the photo was seen, and until an earlier save of it is through: the later one counts.
 */
export function save(photo, user = state.user) {
  photo.saving = photo.saving.catch(() => {}).then(() => photo.seen).then(() => send(photo, user));
  return photo.saving;
}

async function send(photo, user) {
  if (isLost(photo) && photo.tags.length) throw new api.Refused(400, `${photo.name}: ${photo.error}.`);
  if (!isDirty(photo)) return;
  photo.by ??= user;
  const tags = JSON.stringify(photo.tags);
  // The same post is sent again with the same id, until something about it changes.
  photo.post ??= {
    id: crypto.randomUUID(),
    user: photo.by,
    photo: photo.hash,
    name: photo.name.slice(-255),
    tags: [...photo.tags],
    shown: [...photo.shown].slice(0, 200).map(([tag, probability]) => ({ tag, probability })),
  };
  try {
    await api.save(photo, photo.post);
  } catch (error) {
    // One that was not refused may be saved: it keeps its user and its id.
    if (error.status >= 400 && error.status < 500) {
      photo.post = null;
      if (photo.saved === "[]") photo.by = null;
    }
    throw error;
  }
  photo.saved = tags;
  photo.post = null;
  if (tags === "[]") photo.by = null;
  state.learned++;
  changed(photo);
}

/** Says whether a photo was saved for another than the present user. */
export const isOthers = (photo) => photo.by !== null && photo.by !== state.user;

/** Changes the user. Saved photos stay with the user they were saved for; on the others, what was taken stays. */
export function setUser(user) {
  if (user === state.user) return;
  state.user = user;
  for (const photo of photos) if (isOthers(photo)) photo.selected = false;
  refresh(...photos.filter((photo) => photo.by === null));
  changed();
}

/** Has photos ranked again whose suggestions came before something was learned. */
export function refreshIfLearned(...some) {
  refresh(...some.filter((photo) => photo.state === "ready" && photo.learned < state.learned));
}
