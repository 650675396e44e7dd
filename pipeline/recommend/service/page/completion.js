// A field that completes tags: a combobox with a list, by the keyboard or the pointer.

import * as api from "./api.js";
import { $, announce, h } from "./dom.js";
import { owner, state } from "./photos.js";
import { beingTyped, fault, keepLines, split } from "./typed.js";

const DELAY = 120;

/**
 * Makes a form's field complete tags; `onTags` gets those that are entered or chosen for some photos.
 * Returns a function that enters what is left in the field, and says whether nothing is left there then.
 */
export function completing(form, onTags, photosOf) {
  const input = $("input", form);
  const list = $('[role="listbox"]', form);
  let timer, asked = 0, active = -1;

  const close = () => {
    list.hidden = true;
    list.replaceChildren();
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const enter = (tags) => {
    if (!tags.length) return true;
    const reason = fault(tags, photosOf());
    if (reason) {
      announce(reason, 20);
      return false;
    }
    clearTimeout(timer);
    asked++;
    input.value = "";
    close();
    onTags(tags);
    return true;
  };
  const choose = (option) => enter([...new Set([...split(beingTyped(input.value)[0]), option.dataset.tag])]);
  const move = (step) => {
    const options = [...list.children];
    if (!options.length) return;
    active = (active + step + options.length + (active < 0 && step < 0 ? 1 : 0)) % options.length;
    options.forEach((option, number) => option.setAttribute("aria-selected", String(number === active)));
    options[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[active].id);
  };
  const complete = async () => {
    const [, typed] = beingTyped(input.value);
    const number = ++asked;
    if (!typed) return close();
    const [photo] = photosOf();
    const found = await api.tags(typed, photo ? owner(photo) : state.user).catch(() => []);
    if (number !== asked) return;
    list.replaceChildren(
      ...found.slice(0, 8).map(({ tag, count }, place) =>
        h(
          "li",
          { role: "option", id: `${list.id}-${place}`, "aria-selected": "false", "data-tag": tag },
          h("bdi", {}, tag),
          count ? h("span", { class: "quiet" }, ` ${count}`) : null,
        ),
      ),
    );
    active = -1;
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(found.length > 0));
  };

  keepLines(input);
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(complete, DELAY);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      move(event.key === "ArrowDown" ? 1 : -1);
      event.preventDefault();
    } else if (event.key === "Escape") {
      if (list.hidden) input.blur();
      close();
    }
  });
  input.addEventListener("blur", () => setTimeout(close, 150));
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[data-tag]");
    if (option) choose(option);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    if (active >= 0) choose(list.children[active]);
    else enter(split(input.value));
  });
  return () => enter(split(input.value));
}
