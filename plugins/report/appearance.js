"use strict";
// Theme, contents and copying: niceties; the page reads without them.
document.documentElement.classList.add("js");

(function theme() {
  const button = document.querySelector("[data-theme-toggle]");
  const order = ["auto", "light", "dark"];
  const keep = (name) => { try { localStorage.setItem("cbtrun-theme", name); } catch { /* private window */ } };
  const kept = () => { try { return localStorage.getItem("cbtrun-theme"); } catch { return null; } };
  const show = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.dataset.state = name;
    button.querySelector("span").textContent = name;
  };
  show(order.includes(kept()) ? kept() : "auto");
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = order[(order.indexOf(button.dataset.state) + 1) % order.length];
    keep(next);
    show(next);
  });
})();

(function contents() {
  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -80% 0px" });
  links.forEach((_, id) => { const part = document.getElementById(id); if (part) seen.observe(part); });
})();

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).innerText;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
      document.execCommand("copy");
    }
    button.textContent = "Copied";
  });
}
