// The photos of this visit: what is known of each, what was taken on it, and what is saved.

import * as api from "./api.js";
import { lastLetters } from "./typed.js";

const COUNT = 10;
const AT_ONCE = 3;
const LONGEST_NAME = 255;

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
    // saved: the tags of the last post, as JSON; by: its user; unsure: the answer to a save was lost; post: one that is to be
    // sent again; shown: probabilities by tag; suggestedTo: the user of the suggestions; twin: the same picture, that stays.
    const photo = {
      file, name, url: URL.createObjectURL(file), hash: null, state: "waiting", error: null, suggestions: [], unplaced: false, tags: [],
      rejected: [], saved: "[]", by: null, post: null, saving: Promise.resolve(), shown: new Map(), selected: false, asked: 0,
      learned: 0, sending: false, unsure: false, failure: null, suggestedTo: null, twin: null,
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
  const user = owner(photo);
  try {
    const answer = await request();
    photo.hash = answer.hash;
    if (!answer.error) photo.settle();
    if (number !== photo.asked) return; // A later question is under way.
    if (answer.error) return fail(photo, answer.error);
    if (photo.by === null && joinTwin(photo, state.user)) return;
    if (user !== owner(photo)) return refresh(photo);
    if (user !== photo.suggestedTo) photo.shown.clear();
    photo.suggestedTo = user;
    photo.learned = learned;
    photo.state = "ready";
    photo.error = null;
    // Something may have been taken before there were any.
    photo.suggestions = answer.suggestions.filter(({ tag }) => !photo.tags.includes(tag) && !photo.rejected.includes(tag));
    photo.unplaced = answer.unplaced;
    for (const { tag, probability } of answer.suggestions) photo.shown.set(tag, probability);
    changed(photo);
  } catch (error) {
    if (number !== photo.asked) return;
    if (error.status === 413) return fail(photo, error.message);
    photo.error = error.message;
    if (photo.state !== "ready") {
      photo.state = "unseen";
      photo.failure = error;
      photo.settle();
    } else if (photo.suggestedTo !== owner(photo)) photo.suggestions = [];
    changed(photo);
  }
}

/** Asks again about photos without an answer: the reason was the service, not the photo. */
export function lookAgain(...some) {
  const unseen = some.filter((photo) => photo.state === "unseen");
  for (const photo of unseen) {
    photo.state = "waiting";
    photo.error = null;
    if (!photo.hash) photo.seen = new Promise((resolve) => (photo.settle = resolve));
    waiting.push(photo);
    changed(photo);
  }
  refresh(...some.filter((photo) => photo.state === "ready" && photo.error));
}

/** Finds another photo with the same file and user: the service keeps one post for both. */
const twinOf = (photo, user) =>
  photos.find((other) => other !== photo && other.hash === photo.hash && !isLost(other) && owner(other) === user);

/** Leaves one of two photos with the same file in the list, with the tags of both; returns it, or null. */
function joinTwin(photo, user) {
  if (photo.twin) return photo.twin; // An answer came after it had left.
  const twin = photo.hash && !isLost(photo) ? twinOf(photo, user) : null;
  if (!twin) return null;
  const tags = photo.tags.filter((tag) => !twin.tags.includes(tag));
  if (tags.length) twin.post = null;
  twin.tags.push(...tags);
  twin.rejected = [...new Set([...twin.rejected, ...photo.rejected])].filter((tag) => !twin.tags.includes(tag));
  twin.selected ||= photo.selected;
  photo.twin = twin;
  photo.settle();
  const current = photos[state.current];
  photos.splice(photos.indexOf(photo), 1);
  state.current = photos.indexOf(current === photo ? twin : current);
  waiting = waiting.filter((each) => each !== photo);
  changes.dispatchEvent(new CustomEvent("joined", { detail: photo }));
  changed();
  refresh(twin);
  return twin;
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

/** Says whether something on a photo is not known to be saved; a post whose answer was lost may be, or not. */
export const isUnsaved = (photo) => photo.sending || photo.unsure || photo.saved !== JSON.stringify(photo.tags);
export const isSaved = (photo) => photo.saved !== "[]" && !isUnsaved(photo);
/** Says whether a photo cannot be read, so that it cannot be saved either. */
export const isLost = (photo) => photo.state === "failed";
export const isDirty = (photo) => !isLost(photo) && isUnsaved(photo);

/**
 * Saves what was taken on a photo, for its user or else the given one. Without tags, an earlier post is taken back.
 * Waits until the photo was seen, and until an earlier save of it is through: the later one counts.
 */
export function save(photo, user = state.user) {
  lookAgain(photo);
  photo.saving = photo.saving.catch(() => {}).then(() => photo.seen).then(() => send(photo, user));
  return photo.saving;
}

async function send(photo, user) {
  const twin = photo.twin ?? (photo.by === null ? joinTwin(photo, user) : null);
  if (twin) return save(twin, user);
  if (!isUnsaved(photo)) return;
  if (isLost(photo)) throw new api.Refused(400, `${photo.name}: ${photo.error.replace(/\.$/, "")}.`);
  if (!photo.hash) throw new api.Refused(photo.failure.status, photo.failure.message);
  photo.by ??= user;
  const tags = JSON.stringify(photo.tags);
  // The same post is sent again with the same id, until something about it changes.
  photo.post ??= {
    id: crypto.randomUUID(),
    user: photo.by,
    photo: photo.hash,
    name: lastLetters(photo.name, LONGEST_NAME),
    tags: [...photo.tags],
    shown: [...photo.shown].slice(0, 200).map(([tag, probability]) => ({ tag, probability })),
  };
  photo.sending = true;
  try {
    await api.save(photo, photo.post);
    photo.saved = tags;
    photo.post = null;
    photo.unsure = false;
    state.learned++;
  } catch (error) {
    // One that was not refused may be saved: it keeps its user and its id.
    if (error.definite) photo.post = null;
    else photo.unsure = error.sent = true;
    throw error;
  } finally {
    photo.sending = false;
    if (photo.saved === "[]" && !photo.unsure) release(photo);
    changed(photo);
  }
}

/** Gives a photo of which nothing is saved back to the present user. */
function release(photo) {
  photo.by = null;
  if (!joinTwin(photo, state.user) && photo.suggestedTo !== state.user) refresh(photo);
}

/** Says whether a photo was saved for another than the present user. */
export const isOthers = (photo) => photo.by !== null && photo.by !== state.user;

/** Changes the user. Saved photos stay with the user they were saved for; on the others, what was taken stays. */
export function setUser(user) {
  if (user === state.user) return;
  state.user = user;
  for (const photo of photos) if (isOthers(photo)) photo.selected = false;
  for (const photo of photos.filter(({ by }) => by === null)) joinTwin(photo, user);
  const own = photos.filter(({ by }) => by === null);
  lookAgain(...own);
  refresh(...own);
  changed();
}

/** Has photos ranked again whose suggestions came before something was learned. */
export function refreshIfLearned(...some) {
  refresh(...some.filter((photo) => photo.state === "ready" && photo.learned < state.learned));
}
