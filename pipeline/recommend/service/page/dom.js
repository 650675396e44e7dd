// Makes elements. Text from anywhere becomes text nodes, never markup.

export const $ = (selector, root = document) => root.querySelector(selector);

/** Makes an element: properties that begin with "on" are listeners, others attributes; null and false are left out. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replaces the children of an element; the focus stays on the child with the same data-key, if there is one. */
export function fill(parent, children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.closest("[data-key]") : null;
  const role = focused ? document.activeElement.dataset.role : null;
  const place = focused ? [...parent.children].indexOf(focused) : -1;
  parent.replaceChildren(...children);
  if (!focused) return;
  const again =
    [...parent.children].find((child) => child.dataset.key === focused.dataset.key) ??
    parent.children[Math.min(place, parent.children.length - 1)];
  (again?.querySelector(`[data-role="${role}"]`) ?? again?.querySelector("button"))?.focus();
}

let clearing;

/** Shows a message for some seconds, and lets screen readers read it. */
export function announce(text, seconds = 6) {
  $("#status").textContent = text;
  clearTimeout(clearing);
  clearing = setTimeout(() => ($("#status").textContent = ""), 1000 * seconds);
}

/** Lets screen readers read what others see happen. */
export function speak(text) {
  $("#spoken").textContent = text;
}

/** Counts things in words: the plural is regular. */
export const count = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;

/** Keeps the direction of a name from turning the sentence around it. */
export const isolated = (name) => `\u2068${name}\u2069`;

/** Writes a probability, 99 % at most: nothing is certain. */
export const percent = (probability) => `${Math.min(99, Math.round(100 * probability))} %`;
