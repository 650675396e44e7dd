// The view of all photos: select some, take a tag on all of them, save.

import { completing } from "./completion.js";
import { $, announce, count, fill, h, isolated } from "./dom.js";
import * as model from "./photos.js";
import { photos, state } from "./photos.js";
import { forWhom, mark, notSaved, open, stateWords, thumbnail } from "./one.js";
import { fault } from "./typed.js";

const MOST = 8;
let showOne = () => {};
const cards = new Map();

const selected = () => photos.filter((photo) => photo.selected);

/** Draws the view; with some photos, their cards alone. */
export function draw(some = photos) {
  for (const each of photos) if (!cards.has(each)) cards.set(each, cardOf(each));
  const list = $("#cards");
  if (list.children.length !== photos.length || (some === photos && photos.some((each, place) => list.children[place] !== cards.get(each)))) {
    list.replaceChildren(...photos.map((each) => cards.get(each)));
  }
  for (const each of some) if (!each.twin) update(each);
  drawBar();
}

function drawBar() {
  const chosen = selected();
  const all = $("#all");
  all.checked = chosen.length > 0 && chosen.length === photos.length;
  all.indeterminate = chosen.length > 0 && chosen.length < photos.length;
  $("#selected").textContent = chosen.length ? `${chosen.length} of ${photos.length} selected` : "Select all";
  $("#for-all-tag").disabled = !chosen.length;
  const dirty = photos.filter(model.isDirty).length;
  const lost = photos.filter((photo) => model.isLost(photo) && model.isUnsaved(photo)).length;
  const unseen = photos.filter((photo) => photo.state === "unseen").length;
  const typed = chosen.length > 0 && $("#for-all-tag").value.trim() !== "";
  $("#save-all").disabled = saving || !(dirty || typed);
  $("#save-all").textContent = dirty
    ? `${saving ? "Saving" : "Save"} ${count(dirty, "photo")}`
    : typed ? "Save" : lost ? `${lost} cannot be saved` : "All saved";
  $("#look-all-again").hidden = !unseen;
  $("#look-all-again").textContent = `Look again at ${count(unseen, "photo")}`;
  fill(
    $("#for-all"),
    common(chosen).map((tag) =>
      h(
        "li",
        { class: "chip", "data-key": tag },
        h(
          "button",
          { type: "button", class: "take", "data-role": "take", "aria-label": `Take ${tag} on all selected`, onclick: () => takeOnAll([tag]) },
          h("bdi", {}, tag),
        ),
      ),
    ),
  );
}

/** Lists the tags that are suggested most for some photos together. */
function common(chosen) {
  const sums = new Map();
  for (const photo of chosen) {
    for (const { tag, probability } of photo.suggestions) sums.set(tag, (sums.get(tag) ?? 0) + probability);
  }
  return [...sums].sort((one, other) => other[1] - one[1]).slice(0, MOST).map(([tag]) => tag);
}

function takeOnAll(tags) {
  const all = selected();
  const chosen = all.filter((photo) => !model.isLost(photo));
  const reason = fault(tags, chosen);
  if (reason) return announce(reason, 20);
  for (const photo of chosen) for (const tag of tags) model.take(photo, tag);
  const lost = all.length - chosen.length;
  announce(
    `Took ${tags.map(isolated).join(", ")} on ${count(chosen.length, "photo")}${lost ? `; ${count(lost, "other")} cannot be read` : ""}.`,
  );
}

function cardOf(photo) {
  const openIt = () => {
    open(photos.indexOf(photo));
    showOne();
  };
  return h(
    "li",
    { class: "card" },
    h(
      "label",
      {},
      h("input", { type: "checkbox", onchange: (event) => select(photo, event.target.checked) }),
      h("span", { class: "picture" }, thumbnail(photo)),
    ),
    h(
      "div",
      { class: "under" },
      h("span", {}, h("span", { class: "whose" }), h("span", { class: "tags" })),
      h("button", { type: "button", class: "open", "aria-label": `Open ${photo.name}`, onclick: openIt }, "Open"),
    ),
  );
}

/** Brings a photo's card up to date. */
function update(photo) {
  const card = cards.get(photo);
  card.className = `card ${mark(photo)}${photo.selected ? " selected" : ""}`;
  const box = $("input", card);
  box.checked = photo.selected;
  box.setAttribute("aria-label", `${photo.name}${stateWords(photo)}`);
  const image = $("img", card);
  if (image.getAttribute("src") !== photo.url) image.src = photo.url;
  const tags = $(".tags", card);
  tags.classList.toggle("quiet", !photo.tags.length);
  tags.replaceChildren(...(photo.tags.length ? listed(photo.tags) : [waitingWords(photo)]));
  $(".whose", card).replaceChildren(...whose(photo));
}

function whose(photo) {
  if (model.isLost(photo) && photo.tags.length) return [`Cannot be saved: ${photo.error}`];
  if (photo.unsure) return ["Perhaps saved", ...forWhom(photo)];
  return model.isSaved(photo) && model.isOthers(photo) ? ["Saved", ...forWhom(photo)] : [];
}

const listed = (tags) => tags.flatMap((tag, place) => [place ? ", " : "", h("bdi", {}, tag)]);

const waitingWords = (photo) => (["failed", "unseen"].includes(photo.state) ? photo.error : photo.state === "ready" ? "No tags yet" : "…");

let last = 0;

/** Selects a photo, or takes it out; with Shift, all from the last one on. */
function select(photo, chosen) {
  const number = photos.indexOf(photo);
  const [first, end] = shift ? [Math.min(last, number), Math.max(last, number)] : [number, number];
  for (const each of photos.slice(first, end + 1)) {
    each.selected = chosen;
    update(each);
  }
  last = number;
  drawBar();
}

let shift = false;

let saving = false;
let enterTyped = () => true;

async function saveAll() {
  if (selected().length && !enterTyped()) return;
  const user = state.user;
  const dirty = photos.filter(model.isDirty);
  if (!dirty.every(model.owner)) {
    announce("Who took these photos? Enter a name first.");
    $("#user").focus();
    return;
  }
  saving = true;
  drawBar();
  const refused = [];
  let saved = 0;
  for (const photo of dirty) {
    try {
      await model.save(photo, user);
      saved++;
    } catch (error) {
      refused.push(error);
      // Without the service, the others would fail alike.
      if (error.status === 0 || error.status >= 500) break;
    }
  }
  saving = false;
  if (refused.length) announce(`Saved ${saved} of ${dirty.length}. ${notSaved(refused[0])}`, 20);
  else announce(`Saved ${count(saved, "photo")}.`);
  model.refreshIfLearned(...photos);
  drawBar();
}

/** Connects the view's own controls. `onOpen` shows the view of one photo. */
export function connect(onOpen) {
  showOne = onOpen;
  enterTyped = completing($("#for-all-form"), takeOnAll, selected);
  $("#for-all-tag").addEventListener("input", drawBar);
  $("#look-all-again").addEventListener("click", () => model.lookAgain(...photos));
  $("#save-all").addEventListener("click", saveAll);
  $("#all").addEventListener("change", ({ target }) => {
    for (const photo of photos) photo.selected = target.checked;
    draw();
  });
  for (const name of ["click", "keydown", "keyup"]) {
    addEventListener(name, (event) => (shift = event.shiftKey), { capture: true });
  }
}
