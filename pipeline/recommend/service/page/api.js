// The service's API. Requests are repeated when the service is busy or away; a post keeps its id, so it counts once.

import { $ } from "./dom.js";

const ATTEMPTS = 8;
const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

let token = given();

/** Finds the token: in the page, in the address that the service printed, or from before a reload. */
function given() {
  const inPage = $('meta[name="token"]').content;
  const inAddress = new URLSearchParams(location.hash.slice(1)).get("token");
  if (inAddress) {
    sessionStorage.setItem("token", inAddress);
    history.replaceState(null, "", location.pathname);
  }
  return inPage || inAddress || sessionStorage.getItem("token") || "";
}

let signingIn = null;

/** Asks for the token, once for all requests that wait for it. */
function signIn() {
  signingIn ??= new Promise((resolve) => {
    const dialog = $("#sign-in");
    dialog.addEventListener(
      "close",
      () => {
        token = $("#token").value.trim();
        sessionStorage.setItem("token", token);
        signingIn = null;
        resolve();
      },
      { once: true },
    );
    dialog.showModal();
  });
  return signingIn;
}

/** An answer of the service that is not a success. */
export class Refused extends Error {
  constructor(status, message, lost = false) {
    super(message);
    this.status = status;
    // Otherwise the service may have done what was asked: an answer was lost, or is that of a proxy.
    this.definite = !lost && ((status >= 400 && status < 500) || status === 507);
  }
}

async function call(path, options = {}) {
  let lost = false;
  for (let attempt = 1; ; attempt++) {
    let answer;
    try {
      answer = await fetch(path, { ...options, headers: { ...options.headers, Authorization: `Bearer ${token}` } });
    } catch {
      lost = true;
      if (attempt === ATTEMPTS) throw new Refused(0, "The service cannot be reached.");
      await wait(Math.min(0.5 * attempt, 3));
      continue;
    }
    if (answer.ok) return answer;
    if (answer.status === 401) {
      await signIn();
    } else if (answer.status === 503 && attempt < ATTEMPTS) {
      await wait(Number(answer.headers.get("Retry-After") ?? 1) * (0.5 + Math.random()));
    } else {
      const { error } = await answer.json().catch(() => ({}));
      throw new Refused(answer.status, error ?? `The service answered ${answer.status}.`, lost);
    }
  }
}

const asJson = (value) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});

export const about = async () => (await call("api/about")).json();

export const users = async () => (await (await call("api/users")).json()).users;

/** Completes a tag. */
export async function tags(typed, user) {
  const query = new URLSearchParams({ q: typed, ...(user ? { user } : {}) });
  return (await (await call(`api/tags?${query}`)).json()).tags;
}

/** Sends a photo; returns its hash, and suggestions or the reason why there are none. */
export async function suggest(file, { user, given, exclude, count }) {
  const form = new FormData();
  if (user) form.append("user", user);
  for (const tag of given) form.append("given", tag);
  for (const tag of exclude) form.append("exclude", tag);
  form.append("count", count);
  form.append("photo", file, "photo");
  return (await (await call("api/suggest", { method: "POST", body: form })).json()).photos[0];
}

/** Ranks again for a photo that was sent; sends it once more if the service no longer holds it. */
export async function rank(photo, wish) {
  const body = { photos: [photo.hash], ...wish, user: wish.user || null };
  const [answer] = (await (await call("api/suggest", asJson(body))).json()).photos;
  return answer.error ? suggest(photo.file, wish) : answer;
}

/** Saves a post; sends the photo once more if the service no longer holds it. */
export async function save(photo, post) {
  try {
    await call("api/posts", asJson(post));
  } catch (error) {
    if (error.status !== 404) throw error;
    await suggest(photo.file, { user: post.user, given: [], exclude: [], count: 1 });
    await call("api/posts", asJson(post));
  }
}

/** Returns a photo as the networks see it, for a format that the browser cannot show. */
export const shown = async (hash) => (await call(`api/photos/${hash}`)).blob();

/** Returns a photo that the service has at hand, by its place in the list. */
export const example = async (number) => (await call(`api/examples/${number}`)).blob();

/** Exports accepted posts as a file. */
export const exported = async (user, format, photos) =>
  (await call("api/export", asJson({ user, format, photos }))).blob();
