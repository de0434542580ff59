"use strict";
// Makes elements of the page: what comes from sessions, rubrics and raters goes in as text, never as markup.
window.rating = {};
(({ rating }) => {
  rating.task = JSON.parse(document.getElementById("task").textContent);

  rating.element = (name, attributes = {}, ...inside) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (key === "dataset") Object.assign(made.dataset, value);
      else if (value === true) made.setAttribute(key, "");
      else if (value !== false && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...inside.filter((one) => one !== null && one !== undefined && one !== ""));
    return made;
  };

  rating.button = (words, key, act, attributes = {}) =>
    rating.element("button", { type: "button", onclick: act, ...attributes }, words, key ? " " : "", key ? rating.element("kbd", {}, key) : "");

  rating.time = (date = new Date()) => date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
})(window);
