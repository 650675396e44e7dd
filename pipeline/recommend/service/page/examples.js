// Photos that the service offers for a first try.

import * as api from "./api.js";
import { $, h } from "./dom.js";

/** Shows the examples, and has `add` called with those that are chosen. */
export async function offer(names, add) {
  if (!names.length) return;
  const files = await Promise.all(names.map(async (name, number) => fileOf(name, await api.example(number))));
  $("#thumbs").append(
    ...files.map(({ file, name }) =>
      h("li", {}, h("button", { type: "button", "aria-label": `Try ${name}`, title: name, onclick: () => add([{ file, name }]) },
        h("img", { src: URL.createObjectURL(file), alt: "" }))),
    ),
  );
  $("#try-all").addEventListener("click", () => add(files));
  $("#examples").hidden = false;
}

const fileOf = (name, blob) => ({ file: new File([blob], name, { type: blob.type }), name });
