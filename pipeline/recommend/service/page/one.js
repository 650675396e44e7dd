// The view of one photo: the picture, what was taken, what is suggested and why.

import * as api from "./api.js";
import { completing } from "./completion.js";
import { $, announce, fill, h, percent, speak } from "./dom.js";
import * as model from "./photos.js";
import { photos, state } from "./photos.js";
import { fault } from "./typed.js";

export const current = () => photos[state.current];

/** Goes to a photo. */
export function open(number) {
  if (number < 0 || number >= photos.length) return;
  state.current = number;
  model.changed();
  model.refreshIfLearned(current());
}

let enterTyped = () => true;

/** Says that something was not saved, or that it may be. */
export const notSaved = (error) =>
  error.sent ? `Perhaps not saved, save again: ${error.message}` : `Not saved: ${error.message}`;

/** Saves the photo, with the tags that are left in the field, and goes to the next. */
export async function saveAndNext() {
  const photo = current();
  if (!model.isLost(photo) && !enterTyped()) return;
  if (photo.state !== "failed" && !model.owner(photo) && photo.tags.length) {
    announce("Who took these photos? Enter a name first.");
    $("#user").focus();
    return;
  }
  try {
    const was = model.isUnsaved(photo);
    if (was) await model.save(photo);
    const last = photos.indexOf(photo) === photos.length - 1;
    announce(`${was ? "Saved" : "Nothing to save"}.${last ? " This was the last photo." : ""}`);
    if (!last && current() === photo) open(state.current + 1);
  } catch (error) {
    announce(notSaved(error), 20);
  }
}

export function takeNumber(place, rejecting) {
  const suggestion = current().suggestions[place];
  if (!suggestion) return;
  if (rejecting) rejectTag(suggestion.tag);
  else takeTag(suggestion.tag);
}

const takeTag = (tag) => takeTags([tag]);

function takeTags(tags) {
  const reason = fault(tags, [current()]);
  if (reason) return announce(reason, 20);
  for (const tag of tags) model.take(current(), tag);
  speak(`Took ${tags.join(", ")}.`);
}

function rejectTag(tag) {
  model.reject(current(), tag);
  speak(`Rejected ${tag}.`);
}

/** Draws the view. */
export function draw() {
  const photo = current();
  if (!photo) return;
  const image = $("#photo");
  if (image.dataset.url !== photo.url) {
    image.dataset.url = photo.url;
    image.src = photo.url;
    image.alt = photo.name;
    image.hidden = false;
  }
  $("#photo-name").textContent = photo.name;
  $("#photo-place").textContent = `${state.current + 1} of ${photos.length}`;
  drawTaken(photo);
  drawSuggested(photo);
  drawRejected(photo);
  $("#back").disabled = state.current === 0;
  $("#next").textContent = state.current === photos.length - 1 ? "Save" : "Save and next";
  drawStrip();
}

function drawTaken(photo) {
  const chips = photo.tags.map((tag) =>
    h(
      "li",
      { class: "chip taken", "data-key": tag },
      h("bdi", {}, tag),
      h(
        "button",
        { type: "button", class: "x", "data-role": "x", "aria-label": `Remove ${tag}`, onclick: () => model.putBack(photo, tag) },
        "×",
      ),
    ),
  );
  if (photo.unsure) chips.push(h("li", { class: "quiet" }, "Perhaps saved", ...forWhom(photo), ": save again"));
  else if (model.isSaved(photo)) chips.push(h("li", { class: "saved" }, "Saved", ...forWhom(photo)));
  else if (model.isOthers(photo)) chips.push(h("li", { class: "quiet" }, "Will be saved", ...forWhom(photo)));
  if (!photo.tags.length) chips.push(h("li", { class: "quiet" }, "None yet"));
  fill($("#taken"), chips);
}

/** Names the user of a photo, where it is not the present one. */
export const forWhom = (photo) => (model.isOthers(photo) ? [" for ", h("bdi", {}, photo.by)] : []);

function drawSuggested(photo) {
  const words = {
    waiting: "Waiting for its turn …",
    seeing: "Looking at the photo …",
    failed: photo.error?.endsWith(".") ? photo.error : `No suggestions: this file is ${photo.error}.`,
    unseen: photo.error,
    ready: photo.error ?? (photo.suggestions.length ? "" : "Nothing more to suggest."),
  };
  $("#suggested-state").textContent = words[photo.state];
  $("#look-again").hidden = model.isLost(photo) || !photo.error;
  fill(
    $("#suggested"),
    photo.suggestions.map((suggestion, place) => suggestedChip(suggestion, place)),
  );
  $("#unplaced").hidden = !photo.unplaced;
  explain(photo.suggestions.find(({ tag }) => tag === explained) ?? photo.suggestions[0]);
}

let explained = null;

function suggestedChip(suggestion, place) {
  const { tag, probability, why } = suggestion;
  const show = () => {
    explained = tag;
    explain(suggestion);
  };
  const words = `why-${place}`;
  const bar = h("span", { class: "fill" });
  bar.style.setProperty("--share", probability);
  return h(
    "li",
    { class: "chip", "data-key": tag, onmouseenter: show, onfocusin: show },
    bar,
    h(
      "button",
      { type: "button", class: "take", "data-role": "take", "aria-describedby": words, onclick: () => takeTag(tag) },
      place < 10 ? h("kbd", { "aria-hidden": "true" }, String((place + 1) % 10)) : null,
      h("bdi", {}, tag),
      h("span", { class: "number" }, percent(probability)),
    ),
    h("span", { id: words, class: "hidden" }, wordsOf(why)),
    h(
      "button",
      { type: "button", class: "x", "data-role": "x", "aria-label": `Reject ${tag}`, onclick: () => rejectTag(tag) },
      "×",
    ),
  );
}

const wordsOf = (why) => why.filter(({ words }) => words).map(({ words }) => words).join("; ");

/** Shows the grounds of a suggestion, each with a bar as long as what it adds to the score. */
function explain(suggestion) {
  const box = $("#why");
  if (!suggestion) return box.replaceChildren();
  const grounds = suggestion.why.filter(({ words }) => words).slice(0, 4);
  const most = Math.max(...suggestion.why.map(({ score }) => Math.abs(score)), 1e-9);
  box.replaceChildren(
    h("p", {}, "Why ", h("bdi", {}, h("strong", {}, suggestion.tag)), "?"),
    ...grounds.map(({ words, score }) => {
      const bar = h("span", { class: score < 0 ? "weight against" : "weight" });
      bar.style.setProperty("--share", Math.abs(score) / most);
      return h("div", { class: "ground" }, h("span", { class: "track" }, bar), h("bdi", {}, words));
    }),
  );
}

function drawRejected(photo) {
  const box = $("#rejected");
  box.hidden = !photo.rejected.length;
  box.replaceChildren(
    "Rejected: ",
    ...photo.rejected.map((tag) =>
      h(
        "button",
        { type: "button", "aria-label": `Bring ${tag} back`, title: "Bring back", onclick: () => model.bringBack(photo, tag) },
        h("bdi", {}, tag),
      ),
    ),
  );
}

const NEAR = 30;
const cells = new Map();
let drawn = -1;

function drawStrip() {
  // A strip of thousands would be slow: those near the present photo are enough, the grid shows all.
  const near = photos.slice(Math.max(0, state.current - NEAR), state.current + NEAR + 1);
  const strip = $("#strip");
  for (const photo of near) updateCell(photo);
  const shown = near.map((photo) => cells.get(photo));
  if (strip.children.length !== shown.length || shown.some((cell, place) => cell !== strip.children[place])) {
    strip.replaceChildren(...shown);
  }
  strip.hidden = photos.length < 2;
  if (drawn === state.current) return;
  drawn = state.current;
  const active = cells.get(current());
  strip.scrollLeft = active.offsetLeft - strip.clientWidth / 2 + active.clientWidth / 2;
}

/** Brings a photo's place in the strip up to date. */
function updateCell(photo) {
  if (!cells.has(photo)) {
    const button = h("button", { type: "button", onclick: () => open(photos.indexOf(photo)) }, thumbnail(photo));
    cells.set(photo, h("li", {}, button));
  }
  const button = cells.get(photo).firstChild;
  button.className = mark(photo);
  button.setAttribute("aria-label", `${photo.name}${stateWords(photo)}`);
  if (photo === current()) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  const image = button.firstChild;
  if (image.getAttribute("src") !== photo.url) image.src = photo.url;
}

export const mark = (photo) =>
  photo.state === "failed" ? "failed" : model.isSaved(photo) ? "done" : photo.tags.length ? "draft" : photo.state;

export const stateWords = (photo) =>
  ({ failed: `, ${photo.error}`, done: `, saved${model.isOthers(photo) ? ` for ${photo.by}` : ""}`, draft: ", not saved yet", unseen: `, ${photo.error}` })[mark(photo)] ?? "";

/** Makes a small picture; one that the browser cannot show is asked for as the networks see it. */
export function thumbnail(photo) {
  return h("img", { src: photo.url, alt: "", loading: "lazy", decoding: "async", draggable: "false", onerror: () => replacePicture(photo) });
}

const replaced = new WeakSet();

export async function replacePicture(photo) {
  if (replaced.has(photo) || !photo.hash || photo.state === "failed") return;
  replaced.add(photo);
  try {
    photo.url = URL.createObjectURL(await api.shown(photo.hash));
    model.changed(photo);
  } catch {
    // The name stands for the picture.
  }
}

/** Connects the view's own controls. */
export function connect() {
  enterTyped = completing($("#own"), takeTags, () => [current()]);
  $("#look-again").addEventListener("click", () => model.lookAgain(current()));
  $("#back").addEventListener("click", () => open(state.current - 1));
  $("#next").addEventListener("click", saveAndNext);
  $("#photo").addEventListener("error", () => {
    $("#photo").hidden = true;
    replacePicture(current());
  });
  model.changes.addEventListener("change", ({ detail: photo }) => {
    // Its hash came after the browser failed to show it.
    if (photo && photo === current() && $("#photo").hidden) replacePicture(photo);
  });
}
