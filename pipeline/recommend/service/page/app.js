// The page: which view is on, what the keys do, and what comes in and goes out.

import * as api from "./api.js";
import { $, announce, count, isolated } from "./dom.js";
import { offer } from "./examples.js";
import { fromDrop, fromInput, notPhotos } from "./files.js";
import * as grid from "./grid.js";
import * as one from "./one.js";
import * as model from "./photos.js";
import { photos, state } from "./photos.js";

let view = "one";

/** Draws the view that is on; with some photos, only what shows them. */
function draw(some = undefined) {
  const any = photos.length > 0;
  $("#welcome").hidden = any;
  $("#one").hidden = !any || view !== "one";
  $("#grid").hidden = !any || view !== "grid";
  for (const id of ["#add", "#export", ".views"]) $(id).hidden = !any;
  for (const button of document.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
  if (!any) return;
  if (view === "one") one.draw();
  else grid.draw(some);
}

let stale = new Set();
let frame = null;

/** Draws what has changed, once for all changes until the browser shows the next picture. */
function drawSoon(photo) {
  if (photo === null) stale = null;
  else stale?.add(photo);
  frame ??= requestAnimationFrame(() => {
    const some = stale ?? undefined;
    stale = new Set();
    frame = null;
    draw(some);
  });
}

function show(name) {
  view = name;
  draw();
}

function add(files, others = []) {
  const first = photos.length;
  const refused = notPhotos(others);
  if (!files.length) {
    announce(refused || "There is no photo here.", 20);
    return;
  }
  if (!first && files.length > 12) view = "grid";
  model.add(files);
  announce(`Added ${count(files.length, "photo")}. ${refused}`.trim(), refused ? 20 : 6);
}

async function exportPosts(format) {
  $("#export").open = false;
  const user = state.user;
  const saved = photos.filter((photo) => photo.by === user && model.isSaved(photo)).map((photo) => photo.hash);
  if (!saved.length) {
    announce(`Nothing is saved${user ? ` for ${isolated(user)}` : ""} yet: take some tags and save them first.`);
    return;
  }
  const others = photos.length - saved.length;
  try {
    const blob = await api.exported(user, format, saved);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = format === "csv" ? "tags.csv" : "sidecars.zip";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    announce(`Exported ${count(saved.length, "photo")}${others ? `; ${count(others, "other")} not saved for ${isolated(user)}` : ""}.`);
  } catch (error) {
    announce(`Not exported: ${error.message}`, 20);
  }
}

function connectFiles() {
  const [files, folder] = [$("#photos-input"), $("#folder-input")];
  $("#choose-photos").addEventListener("click", () => files.click());
  $("#choose-folder").addEventListener("click", () => folder.click());
  $("#add").addEventListener("click", () => files.click());
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      const { photos: chosen, others } = fromInput(input);
      add(chosen, others);
      input.value = "";
    });
  }
  let inside = 0;
  const over = (by) => document.body.classList.toggle("over", (inside = Math.max(0, inside + by)) > 0);
  // Text that is dragged is the field's own.
  const onFiles = (name, listener) =>
    addEventListener(name, (event) => event.dataTransfer?.types.includes("Files") && listener(event));
  onFiles("dragenter", () => over(1));
  onFiles("dragleave", () => over(-1));
  onFiles("dragover", (event) => event.preventDefault());
  onFiles("drop", async (event) => {
    event.preventDefault();
    over(-Infinity);
    try {
      const { photos: dropped, others } = await fromDrop(event.dataTransfer);
      add(dropped, others);
    } catch (error) {
      announce(`Not added: a file or folder cannot be read (${error.message}).`, 20);
    }
  });
}

const shortcutsOn = () => $("#shortcuts").checked;
const isTyping = (target) => target.matches?.("input:not([type=checkbox]), textarea, select");
const isControl = (target) => target.closest?.("button, a, summary, input, dialog");

function onKey(event) {
  if (!shortcutsOn() || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]") || (!photos.length && event.key !== "?")) return;
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
  const inOne = view === "one";
  if (digit && inOne) one.takeNumber((Number(digit) + 9) % 10, event.shiftKey);
  else if (event.key === "Enter" && inOne && !isControl(event.target)) one.saveAndNext();
  else if (event.key === "ArrowRight" && inOne) one.open(state.current + 1);
  else if (event.key === "ArrowLeft" && inOne) one.open(state.current - 1);
  else if (event.key === "t") $(inOne ? "#own-tag" : "#for-all-tag").focus();
  else if (event.key === "g") show(inOne ? "grid" : "one");
  else if (event.key === "?") $("#help").showModal();
  else return;
  event.preventDefault();
}

function connectHeader() {
  const user = $("#user");
  const choose = () => {
    model.setUser(user.value.trim());
    if (!state.user) return;
    // A tab keeps its own user; a new one begins with the latest.
    for (const storage of [sessionStorage, localStorage]) storage.setItem("user", state.user);
  };
  user.addEventListener("change", choose);
  user.addEventListener("keydown", (event) => event.key === "Enter" && user.blur());
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => show(button.dataset.view));
  }
  for (const button of document.querySelectorAll("[data-export]")) {
    button.addEventListener("click", () => exportPosts(button.dataset.export));
  }
  document.addEventListener("click", (event) => {
    if (!$("#export").contains(event.target)) $("#export").open = false;
  });
  $("#help-button").addEventListener("click", () => $("#help").showModal());
  $("#shortcuts").checked = localStorage.getItem("shortcuts") !== "off";
  $("#shortcuts").addEventListener("change", () => localStorage.setItem("shortcuts", shortcutsOn() ? "on" : "off"));
}

async function begin() {
  const [about, users] = await Promise.all([api.about(), api.users()]);
  state.limits = about;
  const labels = $("#labels");
  labels.hidden = !about.labels.length;
  labels.textContent = about.labels.join(" · ");
  if (!about.pictures) {
    $("#basis").textContent = "This model looks at no picture.";
  }
  $("#users").append(...users.slice(0, 1000).map(({ name }) => Object.assign(document.createElement("option"), { value: name })));
  offer(about.examples, add).catch((error) => announce(`No examples: ${error.message}`));
  const before = sessionStorage.getItem("user") ?? localStorage.getItem("user");
  if (before && !$("#user").value) {
    $("#user").value = before;
    model.setUser(before);
  }
}

let joined = [];

/** Says which photos left the list since their file is that of another: a file has one post of a user. */
function sayJoined({ detail: photo }) {
  if (!joined.length) setTimeout(() => (joined = []), 10_000);
  joined.push(photo);
  const [name, other] = [photo.name, photo.twin.name].map(isolated);
  announce(
    joined.length === 1
      ? `${name} is the same picture as ${other}: it is in the list once.`
      : `${count(joined.length, "photo")} are the same pictures as others: each is in the list once.`,
    20,
  );
}

model.changes.addEventListener("change", ({ detail }) => drawSoon(detail));
model.changes.addEventListener("joined", sayJoined);
addEventListener("keydown", onKey);
addEventListener("beforeunload", (event) => {
  if (photos.some(model.isUnsaved)) event.preventDefault();
});
connectHeader();
connectFiles();
one.connect();
grid.connect(() => show("one"));
draw();
begin().catch((error) => announce(error.message, 60));
