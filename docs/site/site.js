// For keyboards and screen readers: what scrolls can be reached, and every navigation has a name of its own.
const named = new WeakSet()
let count = 0
const reach = () => {
  for (const table of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code")) table.tabIndex = 0
  for (const part of document.querySelectorAll("nav.md-code__nav, nav.md-nav nav.md-nav")) {
    if (named.has(part)) continue
    named.add(part)
    const told = document.getElementById(part.getAttribute("aria-labelledby"))?.textContent.trim() || part.ariaLabel || "Code"
    part.removeAttribute("aria-labelledby")
    part.ariaLabel = `${told.replace(/\s+/g, " ")}, ${++count}`
  }
}
reach()
new MutationObserver(reach).observe(document.body, { childList: true, subtree: true })
