/*
 * Consent for web tracking: what a banner needs, and a plain banner for those who have none.
 *
 *   <script src="https://t.example.com/r/consent.js" data-banner="all-pages" defer></script>
 *
 * Functions (each of those on the right is the older name of the same one):
 *
 *   aftersend.consent.allow()      Visits may be tracked. Gives a promise: true when the tracking
 *                                  server has heard it.
 *   aftersend.consent.forbid()     Visits are not tracked from now on. The same promise.
 *   aftersend.consent.choice()     "allow", "forbid", or null while nothing was chosen.
 *   aftersend.consent.hasChosen()  Whether something was chosen.            hasUserPrefs()
 *   aftersend.consent.show()       Shows the banner, whatever was chosen.
 *   aftersend.consent.close()      Takes the banner away without a choice; the next page shows it.
 *                  getUserPrefs()  The choice as 0 (allowed), 1 (forbidden) or null.
 *
 * The document hears "aftersend:consent" after each choice; event.detail.choice is the choice.
 *
 * Attributes of the script element, all optional:
 *
 *   data-banner     none (usual), all-pages, or per-page: on pages alone that hold an element with
 *                   the attribute data-consent-banner. Where there is one, the banner stands in it.
 *   data-domain     domain of the cookie that keeps the choice on the site, such as
 *                   .shop.example for all its hosts; without it, this host alone
 *   data-ask-server the tracking server is asked for a choice made on another site that it serves
 *   data-text, data-allow, data-forbid, data-close, data-label    texts of the banner
 *   data-more, data-more-href                                     text and address of a link
 */
(function () {
  "use strict";

  var script = document.currentScript || document.querySelector('script[src*="/r/consent.js"]');
  var settings = script.dataset;
  var server = script.src.slice(0, script.src.indexOf("/r/consent.js"));
  var SECONDS = Number("$(seconds)");
  var ALLOW = "allow", FORBID = "forbid";
  var banner = null;
  var before = null;

  function choice() {
    var found = /(?:^|;\s*)acoptout=([01])(?:;|$)/.exec(document.cookie);
    return found ? (found[1] === "1" ? FORBID : ALLOW) : null;
  }

  function hasChosen() {
    return choice() !== null;
  }

  function preference() {
    return { allow: 0, forbid: 1 }[choice()] ?? null;
  }

  function keep(chosen) {
    document.cookie = "acoptout=" + (chosen === FORBID ? "1" : "0") +
      "; Path=/; SameSite=Lax; Max-Age=" + SECONDS +
      (settings.domain ? "; Domain=" + settings.domain : "") +
      (location.protocol === "https:" ? "; Secure" : "");
    close();
    document.dispatchEvent(new CustomEvent("aftersend:consent", { detail: { choice: chosen } }));
  }

  // An image, as a web tag is one: whatever lets those through lets this through.
  function tell(chosen) {
    return new Promise(function (resolve) {
      var image = new Image();
      image.onload = function () { resolve(true); };
      image.onerror = function () { resolve(false); };
      image.src = server + "/r/consent?choice=" + chosen + "&at=" + Date.now();
    });
  }

  // The server hears it first: what the site does about the choice must find it done.
  function choose(chosen) {
    var heard = tell(chosen);
    if (chosen === FORBID) {
      keep(chosen);
      return heard;
    }
    return heard.then(function (isHeard) {
      keep(chosen);
      return isHeard;
    });
  }

  function ask() {
    return fetch(server + "/r/consent", { credentials: "include" })
      .then(function (answer) { return answer.json(); })
      .then(function (told) {
        if (!hasChosen() && (told.choice === ALLOW || told.choice === FORBID)) keep(told.choice);
      })
      .catch(function () { /* Nothing is known, as before. */ });
  }

  var STYLE = [
    ":host { all: initial; display: block; color-scheme: light dark; }",
    ".banner { box-sizing: border-box; display: flex; flex-wrap: wrap; align-items: center;",
    "  justify-content: center; gap: 0.75rem 1.5rem; padding: 1rem 3.5rem 1rem 1.25rem;",
    "  background: #fff; color: #1b1f24; border-top: 1px solid #c9ced6;",
    "  box-shadow: 0 -0.25rem 1.5rem rgb(0 0 0 / 12%);",
    "  font: 1rem/1.5 system-ui, sans-serif; position: relative; }",
    ":host(.floating) { position: fixed; inset: auto 0 0; z-index: 2147483647; }",
    "p { margin: 0; flex: 1 1 20rem; max-width: 44rem; overflow-wrap: anywhere; }",
    "a { color: #0b57b7; }",
    ".choices { display: flex; flex-wrap: wrap; gap: 0.75rem; }",
    "button { font: inherit; color: inherit; background: none; cursor: pointer;",
    "  border: 1px solid currentcolor; border-radius: 0.375rem; }",
    ".choices button { min-height: 2.75rem; min-width: 6.5rem; padding: 0.375rem 1.25rem;",
    "  font-weight: 600; }",
    "button:hover { background: #eef1f5; }",
    ":focus-visible { outline: 3px solid #0b57b7; outline-offset: 2px; }",
    ".close { position: absolute; top: 0.5rem; right: 0.5rem; width: 2.75rem; height: 2.75rem;",
    "  border: 0; font-size: 1.5rem; line-height: 1; }",
    "@media (max-width: 40rem) {",
    "  .banner { padding-right: 1.25rem; } p { padding-right: 2.25rem; }",
    "  .choices { flex: 1 1 100%; } .choices button { flex: 1; } }",
    "@media (prefers-color-scheme: dark) {",
    "  .banner { background: #1b1f24; color: #f2f4f7; border-color: #4a5260; }",
    "  a { color: #8ab8ff; } button:hover { background: #2d333c; }",
    "  :focus-visible { outline-color: #8ab8ff; } }",
  ].join("\n");

  function make(name, text, attributes) {
    var element = document.createElement(name);
    element.textContent = text;
    Object.keys(attributes || {}).forEach(function (key) {
      element.setAttribute(key, attributes[key]);
    });
    return element;
  }

  function button(text, act, attributes) {
    var element = make("button", text, Object.assign({ type: "button" }, attributes));
    element.addEventListener("click", act);
    return element;
  }

  function draw() {
    var section = make("section", "", {
      "class": "banner",
      "part": "banner",
      "aria-label": settings.label || "Consent to web tracking",
    });
    var text = make("p", settings.text ||
      "May we record which of our pages you visit after our messages? " +
      "It helps us to see what is useful. You can change your choice at any time.");
    if (settings.moreHref) {
      text.append(" ", make("a", settings.more || "Read more", { href: settings.moreHref }));
    }
    // Both choices look alike: neither is pushed.
    var choices = make("div", "", { "class": "choices" });
    choices.append(
      button(settings.forbid || "Refuse", function () { choose(FORBID); }, { part: "button" }),
      button(settings.allow || "Allow", function () { choose(ALLOW); }, { part: "button" })
    );
    var closer = button("\u00d7", close, {
      "class": "close",
      "aria-label": settings.close || "Close without a choice",
    });
    section.append(text, choices, closer);
    section.addEventListener("keydown", function (event) {
      if (event.key === "Escape") close();
    });
    return section;
  }

  function show() {
    if (banner) return;
    var place = document.querySelector("[data-consent-banner]");
    var sheet = new CSSStyleSheet();  // a page's policy on styles does not forbid these
    sheet.replaceSync(STYLE);
    before = document.activeElement;
    banner = document.createElement("div");
    var root = banner.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(draw());
    if (place) {
      place.append(banner);
    } else {
      banner.className = "floating";
      document.body.prepend(banner);  // first for who walks by keyboard, whatever is seen where
      makeRoom(banner.offsetHeight + "px");
    }
  }

  // The end of the page, and what has the focus, can be scrolled above the banner.
  function makeRoom(height) {
    document.body.style.paddingBottom = height;
    document.documentElement.style.scrollPaddingBottom = height;
  }

  function close() {
    if (!banner) return;
    if (banner.className === "floating") makeRoom("");
    var isFocused = document.activeElement === banner;
    banner.remove();
    banner = null;
    if (isFocused && before && before.isConnected) before.focus();
  }

  function begin() {
    var isWanted = settings.banner === "all-pages" ||
      (settings.banner === "per-page" && document.querySelector("[data-consent-banner]") !== null);
    var known = hasChosen() || settings.askServer === undefined ? Promise.resolve() : ask();
    known.then(function () {
      if (isWanted && !hasChosen()) show();
    });
  }

  window.aftersend = window.aftersend || {};
  window.aftersend.consent = {
    allow: function () { return choose(ALLOW); },
    forbid: function () { return choose(FORBID); },
    choice: choice,
    hasChosen: hasChosen,
    hasUserPrefs: hasChosen,
    getUserPrefs: preference,
    show: show,
    close: close,
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
