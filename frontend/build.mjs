// Makes the assets of the pages: `npm ci && npm run build`.
//
// Everything comes from the packages that package-lock.json pins and goes to
// src/aftersend/web/static/vendor/, which is not in git but in the wheel. The pages load nothing
// from another host at run time.

import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, "node_modules");
const target = join(here, "..", "src", "aftersend", "web", "static", "vendor");

// Every icon that a template names; tests/unit/web/test_template.py keeps the two lists alike.
const ICONS = [
  "alert-triangle", "arrow-down", "arrow-left", "arrow-up", "ban", "browser", "check",
  "checkup-list", "chevron-down", "circle-check", "click", "clock", "copy", "device-desktop",
  "download", "external-link", "filter-off", "hand-stop", "help", "history", "info-circle", "key", "link",
  "list-details", "logout", "mail", "mail-off", "mail-opened", "moon", "photo", "photo-off",
  "player-pause", "player-play", "plus", "refresh", "route", "search", "send", "server", "settings",
  "shopping-cart", "sun", "tag", "user", "users", "world", "x",
];
// @tabler/core says MIT without the text; its authors' icons bring it.
const LICENCES = {
  "@fontsource-variable/inter": "@fontsource-variable/inter/LICENSE",
  "@tabler/core": "@tabler/icons/LICENSE",
  "@tabler/icons": "@tabler/icons/LICENSE",
  "echarts": "echarts/LICENSE",
  "htmx.org": "htmx.org/LICENSE",
  "zrender": "zrender/LICENSE",
};

// Apache-2.0 packages bring a notice that has to be passed on.
const NOTICES = { "echarts": "echarts/NOTICE" };

async function text(...path) {
  const raw = await readFile(join(packages, ...path), "utf8");
  return raw.replace(/\n?(\/\*|\/\/)# sourceMappingURL=.*$/s, "\n");
}

async function icons() {
  const symbols = await Promise.all(
    ICONS.map(async (name) => {
      const svg = await text("@tabler/icons", "icons", "outline", `${name}.svg`);
      const shapes = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
      return `<symbol id="${name}" viewBox="0 0 24 24">${shapes.replace(/\s*\n\s*/g, "")}</symbol>`;
    }),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`;
}

async function licences() {
  const parts = await Promise.all(
    Object.entries(LICENCES).map(async ([name, file]) => {
      const { version, license } = JSON.parse(await text(name, "package.json"));
      const notice = name in NOTICES ? `${await text(NOTICES[name])}\n\n` : "";
      return `${name} ${version} (${license})\n\n${notice}${await text(file)}`;
    }),
  );
  return parts.join(`\n${"-".repeat(80)}\n\n`);
}

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
await Promise.all([
  writeFile(join(target, "tabler.css"), await text("@tabler/core", "dist", "css", "tabler.min.css")),
  writeFile(join(target, "htmx.js"), await text("htmx.org", "dist", "htmx.min.js")),
  writeFile(join(target, "inter.css"), await text("@fontsource-variable/inter", "wght.css")),
  cp(join(packages, "@fontsource-variable", "inter", "files"), join(target, "files"), {
    recursive: true,
    filter: (path) => !path.endsWith(".woff2") || path.endsWith("-wght-normal.woff2"),
  }),
  writeFile(join(target, "icons.svg"), await icons()),
  build({
    entryPoints: [join(here, "charts.mjs")],
    outfile: join(target, "charts.js"),
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
  }),
]);
// Last: who finds it knows that the rest is there.
await writeFile(join(target, "LICENCES.txt"), await licences());
