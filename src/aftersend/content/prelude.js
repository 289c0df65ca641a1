// The world of the scripts of a message: JavaScript without what could reach beyond one run of it,
// and the functions that authors of the field know. Evaluated once a context, by `script.py`.
//
// Nothing that a script can change is left when the last line has run: all that it can reach is
// frozen. Time stands still while a message is written, in UTC, and chance is that of the message.
//
// The engine asks whether time is up between steps of a script, not inside loops of its own. They
// run over what memory holds, or over what only has a length: such lengths are bounded here.
(() => {
  "use strict";

  const ITEMS_MAX = 1e6;
  const LENGTH_MAX = 5e6;
  const STEPS_MAX = 1e9;
  const DAY_MS = 86400000;

  const { apply, construct, ownKeys } = Reflect;
  const { defineProperty, freeze, getOwnPropertyDescriptor, getPrototypeOf } = Object;
  const World = globalThis;
  const OwnArray = Array;
  const OwnDate = Date;
  const OwnSet = Set;
  const encode = encodeURIComponent;

  // ---- Lengths -----------------------------------------------------------------------------

  const checkLength = (items) => {
    if (items !== null && items !== undefined && items.length > ITEMS_MAX)
      throw new RangeError(`a list is longer than ${ITEMS_MAX} items`);
  };

  const replace = (owner, name, value) =>
    defineProperty(owner, name, { value, writable: true, configurable: true, enumerable: false });

  const guard = (owner, name, check) => {
    const own = owner[name];
    replace(owner, name, function (...values) {
      check(this, values);
      return apply(own, this, values);
    });
  };

  const quick = ["constructor", "push", "pop", "at", "keys", "values", "entries"];
  for (const name of Object.getOwnPropertyNames(Array.prototype))
    if (typeof Array.prototype[name] === "function" && !quick.includes(name))
      guard(Array.prototype, name, (items, values) => {
        checkLength(items);
        if (name === "concat") values.forEach(checkLength);
      });
  const flatten = (items, depth, result) => {
    for (let index = 0; index < items.length; index++) {
      if (depth >= 1 && OwnArray.isArray(items[index])) flatten(items[index], depth - 1, result);
      else if (index in items) result.push(items[index]);
    }
    return result;
  };
  replace(Array.prototype, "flat", function (depth = 1) {
    return flatten(this, depth, []);
  });
  replace(Array.prototype, "flatMap", function (change, self) {
    return flatten(this.map(change, self), 1, []);
  });
  guard(Array, "from", (_, values) => checkLength(values[0]));
  guard(String, "raw", (_, values) => checkLength(values[0]?.raw));

  const wrapClass = (name, own, make) => {
    const wrapped = {
      [name]: function (...values) {
        return make(values, new.target);
      },
    }[name];
    for (const key of ownKeys(own))
      if (!["length", "name"].includes(key))
        defineProperty(wrapped, key, getOwnPropertyDescriptor(own, key));
    replace(own.prototype, "constructor", wrapped);
    replace(World, name, wrapped);
  };
  wrapClass("Array", OwnArray, (values, target) => {
    if (values.length === 1 && typeof values[0] === "number") checkLength({ length: values[0] });
    return construct(OwnArray, values, target ?? OwnArray);
  });
  wrapClass("Set", OwnSet, (values, target) => {
    checkLength(values[0]);
    return construct(OwnSet, values, target);
  });

  const growing = (text, [count], size) => {
    if (size(String(text).length, count) > LENGTH_MAX)
      throw new RangeError(`a text is longer than ${LENGTH_MAX} characters`);
  };
  guard(String.prototype, "repeat", (text, values) =>
    growing(text, values, (length, count) => length * count),
  );
  for (const name of ["padStart", "padEnd"])
    guard(String.prototype, name, (text, values) => growing(text, values, (_, count) => count));
  for (const name of ["includes", "indexOf", "lastIndexOf", "replace", "replaceAll", "split"])
    guard(String.prototype, name, (text, [sought]) => {
      if (typeof sought === "string" && String(text).length * sought.length > STEPS_MAX)
        throw new RangeError("a text is too long to search for another long one");
    });

  // ---- What no message needs ---------------------------------------------------------------

  const refuse = () => {
    throw new TypeError("code cannot be made while a message is written");
  };
  const functions = [function () {}, function* () {}, async function () {}, async function* () {}];
  for (const each of functions) replace(getPrototypeOf(each), "constructor", refuse);
  const iterators = getPrototypeOf(getPrototypeOf([][Symbol.iterator]()));
  for (const key of ownKeys(iterators)) if (typeof key === "string") delete iterators[key];
  for (const name of Object.getOwnPropertyNames(World))
    if (
      /.Array|Buffer|Atomics|DataView|Proxy|Weak|Finalization|Iterator|Promise|BigInt/.test(name) ||
      ["eval", "Function", "performance", "navigator", "queueMicrotask", "gc"].includes(name)
    )
      delete World[name];

  // ---- Time and chance ---------------------------------------------------------------------

  const ISO =
    /^\s*(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3})\d*)?)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?\s*$/;
  let now = null;
  let seed = 0;

  const millisecondsOf = (text) => {
    const parts = ISO.exec(text);
    if (parts === null) return OwnDate.parse(text);
    const [year, month, day, hour, minute, second] = parts.slice(1, 7).map((each) => +(each ?? 0));
    const fraction = +(parts[7] ?? "0").padEnd(3, "0");
    const zone = (parts[8] ?? "Z").replace(":", "");
    const sign = zone[0] === "-" ? -1 : 1;
    const offset = zone === "Z" ? 0 : sign * (+zone.slice(1, 3) * 60 + +zone.slice(3));
    const date = new OwnDate(OwnDate.UTC(year, month - 1, day));
    if (date.getUTCMonth() !== month - 1 || hour > 24 || minute > 59 || second > 59) return NaN;
    return OwnDate.UTC(year, month - 1, day, hour, minute, second, fraction) - offset * 60000;
  };
  wrapClass("Date", OwnDate, (values, target) => {
    let given = values;
    if (values.length === 0) given = now === null ? [] : [now];
    else if (values.length > 1) given = [OwnDate.UTC(...values)];
    else if (typeof values[0] === "string") given = [millisecondsOf(values[0])];
    const date = construct(OwnDate, given, target ?? OwnDate);
    return target === undefined ? date.toString() : date;
  });
  replace(Date, "now", () => (now === null ? OwnDate.now() : now));
  replace(Date, "parse", (text) => millisecondsOf(String(text)));
  for (const name of Object.getOwnPropertyNames(OwnDate.prototype)) {
    const universal = name.replace(/^(get|set)(?!UTC|Time)/, "$1UTC");
    if (name !== universal && universal in OwnDate.prototype)
      replace(OwnDate.prototype, name, OwnDate.prototype[universal]);
  }
  replace(OwnDate.prototype, "getTimezoneOffset", () => 0);
  for (const name of ["toString", "toLocaleString"])
    replace(OwnDate.prototype, name, OwnDate.prototype.toUTCString);

  replace(Math, "random", () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  });

  // ---- Functions of the field --------------------------------------------------------------

  const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
  const MONTHS = [
    ...["January", "February", "March", "April", "May", "June", "July", "August"],
    ...["September", "October", "November", "December"],
  ];
  const isNothing = (value) => value === undefined || value === null || value === "";
  const text = (value) => (value === undefined || value === null ? "" : String(value));

  const dateOf = (value, who) => {
    const date = new Date(value);
    if (Number.isNaN(+date)) throw new RangeError(`${who}: ${text(value).slice(0, 60)} is no date`);
    return date;
  };
  const dayOf = (date) => Math.floor(+date / DAY_MS);
  const dayOfYear = (date) => dayOf(date) - dayOf(OwnDate.UTC(date.getUTCFullYear(), 0, 1)) + 1;
  const weekOf = (date) => {
    const thursday = new OwnDate(+date + (4 - (date.getUTCDay() || 7)) * DAY_MS);
    return Math.ceil(dayOfYear(thursday) / 7);
  };
  const named = (name, mode) => (mode.includes("l") ? name : name.slice(0, 3));
  const CODES = {
    Y: (date, width) => date.getUTCFullYear() % (width && width < 4 ? 10 ** width : Infinity),
    M: (date) => date.getUTCMonth() + 1,
    D: (date) => date.getUTCDate(),
    J: dayOfYear,
    W: weekOf,
    H: (date) => date.getUTCHours(),
    I: (date) => date.getUTCHours() % 12 || 12,
    N: (date) => date.getUTCMinutes(),
    S: (date) => date.getUTCSeconds(),
  };

  const field = {
    escapeUrl(value) {
      return encode(text(value).replace(/\p{Surrogate}/gu, "?")).replace(
        /[!'()*]/g,
        (character) => "%" + character.charCodeAt(0).toString(16).toUpperCase(),
      );
    },
    escapeXmlStr(value) {
      const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
      return text(value).replace(/[&<>"']/g, (character) => names[character]);
    },
    toUpperCase: (value) => text(value).toUpperCase(),
    toLowerCase: (value) => text(value).toLowerCase(),
    toSmartCase: (value) =>
      text(value)
        .toLowerCase()
        .replace(/(?<=^|[\s\-]|(?:^|[\s\-])\p{L}['’])\p{L}/gu, (letter) => letter.toUpperCase()),
    formatDate(value, format, ...more) {
      if (more.length) throw new TypeError("formatDate knows no time zones: times are in UTC");
      if (isNothing(value)) return "";
      const date = dateOf(value, "formatDate");
      return text(format).replace(/%(?:%|(\d*)([YMDJWHINSPAB])([li]*))/g, (all, width, code, mode) => {
        if (code === undefined) return "%";
        if (code === "A") return named(DAYS[date.getUTCDay()], mode);
        if (code === "B") return named(MONTHS[date.getUTCMonth()], mode);
        if (code === "P") return (date.getUTCHours() < 12 ? "AM" : "PM") + mode;
        return text(CODES[code](date, +width)).padStart(Math.min(+width, 9), "0") + mode;
      });
    },
    formatNumber(value, decimals = 0, thousands = ",", point = ".") {
      if (isNothing(value)) return "";
      const number = Number(value);
      if (!Number.isFinite(number))
        throw new RangeError(`formatNumber: ${text(value).slice(0, 60)} is no number`);
      const [whole, fraction] = number.toFixed(decimals).split(".");
      const grouped = whole.replace(/\B(?=(?:\d{3})+$)/g, () => thousands);
      return fraction === undefined ? grouped : grouped + point + fraction;
    },
    daysDiff: (end, start) => dayOf(dateOf(end, "daysDiff")) - dayOf(dateOf(start, "daysDiff")),
    parseTimeStamp: (value) => dateOf(value, "parseTimeStamp"),
    getCurrentDate: () => new Date(),
  };
  for (const name of Object.keys(field)) replace(World, name, field[name]);
  replace(World, "escapeXml", field.escapeXmlStr);
  replace(World, "escapeHtml", field.escapeXmlStr);

  // ---- What the code around the scripts calls ----------------------------------------------

  const deepFreeze = (value) => {
    if (typeof value === "object" && value !== null) Object.values(freeze(value)).forEach(deepFreeze);
    return value;
  };
  replace(World, "$text", text);
  replace(World, "$freeze", deepFreeze);
  let part = -1;
  replace(World, "$begin", (number, message, at) => {
    part = number;
    seed = message | 0;
    now = at;
  });
  replace(World, "$where", () => part);

  // ---- Nothing of one run is left for the next ---------------------------------------------

  // Objects used as lists of words may have words that are also names of what they inherit.
  for (const name of Object.getOwnPropertyNames(Object.prototype)) {
    const { value } = getOwnPropertyDescriptor(Object.prototype, name);
    if (value !== undefined)
      defineProperty(Object.prototype, name, {
        get: () => value,
        set(own) {
          if (this === Object.prototype) throw new TypeError(`${name} is read-only`);
          defineProperty(this, name, {
            value: own,
            writable: true,
            configurable: true,
            enumerable: true,
          });
        },
      });
  }
  const seen = new OwnSet();
  const harden = (value) => {
    const isThing = (typeof value === "object" && value !== null) || typeof value === "function";
    if (!isThing || seen.has(value)) return;
    seen.add(value);
    freeze(value);
    harden(getPrototypeOf(value));
    for (const key of ownKeys(value)) {
      const own = getOwnPropertyDescriptor(value, key);
      harden(own.value);
      harden(own.get);
      harden(own.set);
    }
  };
  for (const each of functions) {
    harden(each);
    harden(each.prototype);
  }
  const things = ["", 1, true, Symbol.iterator, 1n, /a/g, [][Symbol.iterator](), new Map().values()];
  things.push(new OwnSet().values(), ""[Symbol.iterator](), "".matchAll(/a/g));
  for (const each of things) harden(Object(each));
  harden(World);
})();
