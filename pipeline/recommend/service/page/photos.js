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
      rejected: [], saved: "[]", post: null, shown: new Map(), selected: false, asked: 0, learned: 0,
    };
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

const wish = (photo) => ({ user: state.user, given: photo.tags, exclude: photo.rejected, count: COUNT });

async function ask(photo, request) {
  const number = ++photo.asked;
  const learned = state.learned;
  try {
    const answer = await request();
    photo.hash = answer.hash;
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
  changed(photo);
}

export function take(photo, tag) {
  tag = tag.normalize("NFC").trim();
  if (!tag || photo.tags.includes(tag) || photo.state === "failed") return;
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
export const isDirty = (photo) => photo.saved !== JSON.stringify(photo.tags);

/** Saves what was taken on a photo. Without tags, an earlier post is taken back. */
export async function save(photo) {
  if (!photo.hash || !isDirty(photo)) return;
  const tags = JSON.stringify(photo.tags);
  // The same post is sent again with the same id, until something about it changes.
  photo.post ??= {
    id: crypto.randomUUID(),
    user: state.user,
    photo: photo.hash,
    name: photo.name.slice(-255),
    tags: [...photo.tags],
    shown: [...photo.shown].slice(0, 200).map(([tag, probability]) => ({ tag, probability })),
  };
  await api.save(photo, photo.post);
  photo.saved = tags;
  photo.post = null;
  state.learned++;
  changed(photo);
}

/** Changes the user: habits are another person's, what was taken stays. */
export function setUser(user) {
  if (user === state.user) return;
  state.user = user;
  for (const photo of photos) {
    photo.post = null;
    photo.saved = "[]";
  }
  refresh(...photos);
  changed();
}

/** Has photos ranked again whose suggestions came before something was learned. */
export function refreshIfLearned(...some) {
  refresh(...some.filter((photo) => photo.state === "ready" && photo.learned < state.learned));
}
