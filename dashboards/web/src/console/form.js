// The form of a command: a field for each key of its data with its help, or the message as JSON.
import { make, say } from "../feeds/make.js";
import { COMMANDS, commandFor, commandOf, dataOf, messageOf, typedOf } from "./commands.js";

/** Suggestions shown at once. */
const SUGGESTIONS_MAX = 100;
let ids = 0;

export class Form {
  /** Called with each change of what is typed. */
  onInput = () => {};
  /** Called when a change is finished: the field was left. */
  onChange = () => {};
  /** Called when the message is to be sent. */
  onSend = () => {};
  /** Called when a field for topics gets the focus. */
  onWant = () => {};
  /** Names of topics and patterns to suggest. */
  suggestions = [];
  /** Names of the periods of which the server keeps bars. */
  periods = [];

  #command = COMMANDS[0];
  #isJson = false;
  #typed = {};
  #fields = new Map();
  #choice = make("select", { id: "console-command" });
  #ways = {};
  #help = make("p", { className: "small" });
  #body = make("div", { className: "console-fields" });
  #json = make("textarea", { id: "console-json", rows: 6, spellcheck: false, autocomplete: "off" });
  #jsonError = make("p", { className: "field-error", id: "console-json-error" });

  constructor(element) {
    const form = make("form", { className: "console-form", noValidate: true });
    this.#choice.append(
      ...COMMANDS.map(({ name }) => make("option", { value: name }, name)),
      make("option", { value: "" }, "another, as JSON"),
    );
    const way = (name, title) => {
      this.#ways[name] = make("input", { type: "radio", name: "console-way", value: name });
      this.#ways[name].addEventListener("change", () => this.#turn(name === "json"));
      return make("label", {}, this.#ways[name], ` ${title}`);
    };
    const ways = make(
      "fieldset",
      { className: "console-ways" },
      make("legend", { className: "unseen" }, "How to write it"),
      way("fields", "Fields"),
      way("json", "JSON"),
    );
    form.append(
      make(
        "div",
        { className: "console-command" },
        make("label", { htmlFor: "console-command" }, "Command"),
        this.#choice,
        ways,
      ),
      this.#help,
      this.#body,
      make("p", { className: "console-send" }, make("button", { className: "primary" }, "Send")),
    );
    element.append(form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.onSend();
    });
    form.addEventListener(
      "input",
      ({ target }) => target !== this.#choice && target.type !== "radio" && this.#edited(target),
    );
    form.addEventListener("change", () => this.onChange());
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      form.requestSubmit();
    });
    this.#choice.addEventListener("change", () => this.#chosen(this.#choice.value));
    this.#build();
  }

  /** Whether the message is written as JSON, and the form has no fields for it. */
  get isJson() {
    return this.#isJson;
  }

  /** The message as it stands. Throws an error that says what to change; that is shown beside its field as well. */
  read() {
    for (const { input, error } of this.#fields.values()) mark(input, error, "");
    mark(this.#json, this.#jsonError, "");
    if (this.#isJson) {
      try {
        return messageOf(this.#json.value);
      } catch (error) {
        mark(this.#json, this.#jsonError, error.message);
        throw Object.assign(error, { field: this.#json });
      }
    }
    const { data, errors } = dataOf(this.#command, this.#typed);
    for (const [name, text] of Object.entries(errors))
      mark(this.#fields.get(name).input, this.#fields.get(name).error, `${text}.`);
    const [first] = Object.entries(errors);
    if (first) throw Object.assign(new Error(`${first[1]}.`), { field: this.#fields.get(first[0]).input });
    return { event: this.#command.event, data };
  }

  /** The message if it is whole, else null. */
  get whole() {
    const { errors } = this.#isJson ? { errors: {} } : dataOf(this.#command, this.#typed);
    return Object.keys(errors).length > 0 ? null : this.draft;
  }

  /** The message as far as it is written; null where there is none. */
  get draft() {
    try {
      return this.#isJson
        ? messageOf(this.#json.value)
        : { event: this.#command.event, data: dataOf(this.#command, this.#typed).data };
    } catch {
      return null;
    }
  }

  /** Shows this message: in fields where there are some for it. */
  write({ event, data }, name = "") {
    const command = commandOf(name) ?? commandFor(event, data);
    const typed = command && typedOf(command, data);
    if (typed) {
      this.#command = command;
      this.#typed = { ...this.#typed, ...Object.fromEntries(command.keys.map((key) => [key.name, ""])), ...typed };
      this.#isJson = false;
    } else {
      this.#json.value = JSON.stringify({ event, data }, null, 2);
      this.#isJson = true;
    }
    this.#build();
  }

  /** The name of the command, as it is chosen. */
  get name() {
    return this.#isJson ? (this.draft?.event ?? "") : this.#command.name;
  }

  #chosen(name) {
    const command = commandOf(name);
    if (command) {
      this.#command = command;
      this.#isJson = false;
    } else this.#turnToJson();
    this.#build();
    this.onInput();
  }

  #turn(isJson) {
    if (isJson) this.#turnToJson();
    else {
      const message = this.draft;
      const command = message && commandFor(message.event, message.data);
      const typed = command && typedOf(command, message.data);
      if (typed) this.write(message);
      else {
        this.#ways.json.checked = true;
        mark(
          this.#json,
          this.#jsonError,
          "The fields have no place for all of this. Choose a command above to begin again.",
        );
        return;
      }
    }
    this.#build();
    this.onInput();
  }

  #turnToJson() {
    const { data } = dataOf(this.#command, this.#typed);
    this.#json.value = JSON.stringify({ event: this.#command.event, data }, null, 2);
    this.#isJson = true;
  }

  #edited(target) {
    const { key } = target.dataset;
    if (key !== undefined) {
      this.#typed[key] = target.value;
      this.#suggest(target);
    }
    if (target.getAttribute("aria-invalid") === "true") mark(target, document.getElementById(target.dataset.error), "");
    this.onInput();
  }

  #build() {
    this.#ways[this.#isJson ? "json" : "fields"].checked = true;
    this.#fields.clear();
    if (this.#isJson) {
      this.#choice.value = "";
      say(this.#help, "The message as it goes to the server. Ctrl+Enter sends it.");
      this.#json.dataset.error = this.#jsonError.id;
      this.#json.setAttribute("aria-describedby", this.#jsonError.id);
      mark(this.#json, this.#jsonError, "");
      const label = make("label", { htmlFor: this.#json.id }, "Message");
      this.#body.replaceChildren(make("div", { className: "field" }, label, this.#json, this.#jsonError));
      return;
    }
    this.#choice.value = this.#command.name;
    say(this.#help, this.#command.help);
    this.#body.replaceChildren(...this.#command.keys.map((key) => this.#field(key)));
    if (this.#command.keys.length === 0) this.#body.append(make("p", { className: "small" }, "It has no data."));
  }

  #field(key) {
    const id = `console-${(ids += 1)}`;
    const { name, type, required, help, example, choices = [], start = "" } = key;
    const common = {
      id,
      required: required === true,
      data: { key: name, type, error: `${id}-error` },
      "aria-describedby": `${id}-help ${id}-error`,
    };
    let input;
    if (type === "choice")
      input = make(
        "select",
        common,
        make("option", { value: "" }, "not said"),
        ...choices.map((choice) => make("option", { value: choice }, choice)),
      );
    else if (type === "json") input = make("textarea", { ...common, rows: 4, spellcheck: false });
    else {
      const mode = type === "number" ? "numeric" : "text";
      input = make("input", {
        ...common,
        type: "text",
        inputMode: mode,
        autocomplete: "off",
        spellcheck: false,
        placeholder: example ?? "",
      });
      input.setAttribute("autocapitalize", "off");
    }
    this.#typed[name] ??= start;
    input.value = this.#typed[name] || start;
    this.#typed[name] = input.value;
    const list = make("datalist", { id: `${id}-list` });
    if (type !== "choice" && type !== "json" && type !== "number") {
      input.setAttribute("list", list.id);
      input.addEventListener("focus", () => {
        this.onWant();
        this.#suggest(input);
      });
    }
    const error = make("p", { className: "field-error", id: `${id}-error` });
    this.#fields.set(name, { input, error, list, choices });
    const label = make(
      "label",
      { htmlFor: id },
      name,
      required ? "" : make("span", { className: "small" }, " (may be left out)"),
    );
    return make(
      "div",
      { className: "field" },
      label,
      input,
      list,
      make("p", { className: "small", id: `${id}-help` }, help),
      error,
    );
  }

  /** Suggests what fits what is typed. In a list of topics it is the last one that grows. */
  #suggest(input) {
    const { key, type } = input.dataset;
    const { list, choices } = this.#fields.get(key) ?? {};
    if (!list || !input.hasAttribute("list")) return;
    const [, before, typed] = type === "topics" ? /^(.*[\s,])?(\S*)$/s.exec(input.value) : ["", "", input.value];
    const names =
      type === "topics" || type === "topic"
        ? this.suggestions
        : key === "period" && this.periods.length > 0
          ? this.periods
          : choices;
    const wanted = typed.toLowerCase();
    const found = names.filter((name) => name.toLowerCase().includes(wanted)).slice(0, SUGGESTIONS_MAX);
    list.replaceChildren(...found.map((name) => make("option", { value: (before ?? "") + name })));
  }
}

function mark(input, error, text) {
  say(error, text);
  if (text === "") input.removeAttribute("aria-invalid");
  else input.setAttribute("aria-invalid", "true");
}
