// What calls a reader who looks elsewhere: a sound and a notification. Both are off until chosen, and the choice is this browser's.

const KEY = "tickerd-alerts";
/** Two notes, in Hz, and how long one is. */
const NOTES = [660, 880];
const NOTE_S = 0.14;
const LOUDNESS = 0.15;
/** A sound, or a notification, comes at most this often. */
const SOUND_EVERY_MS = 2_000;
const NOTIFY_EVERY_MS = 5_000;

export class Calls {
  /** Called when a choice has changed, or what it depends on. */
  onChange = () => {};

  #chosen = { sound: false, notify: false };
  #audio = null;
  #sounded = -Infinity;
  #notified = -Infinity;
  #untold = [];
  #timer = 0;

  constructor() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
      for (const name of Object.keys(this.#chosen)) this.#chosen[name] = kept?.[name] === true;
    } catch {
      // Storage may be forbidden; then the choice lasts as long as the page.
    }
    if (this.#chosen.sound) this.#wake();
  }

  get sound() {
    return this.#chosen.sound;
  }

  get notify() {
    return this.#chosen.notify && globalThis.Notification?.permission === "granted";
  }

  /** What keeps a choice from having an effect, in words, or "". */
  get hindrance() {
    if (this.#chosen.notify && globalThis.Notification?.permission === "denied") {
      return "This browser blocks notifications of this page. Allow them in the browser's settings of this address.";
    }
    if (this.#chosen.sound && this.#audio?.state !== "running") return "The browser plays no sound before you click on the page or press a key.";
    return "";
  }

  setSound(yes) {
    this.#keep("sound", yes);
    if (yes) this.play();
  }

  /** Asks the browser for leave; a sentence that says why there are none, or "". */
  async setNotify(yes) {
    if (yes && !("Notification" in globalThis)) {
      return isSecureContext ? "This browser has no notifications." : "Notifications need HTTPS.";
    }
    if (yes && Notification.permission === "default") await Notification.requestPermission();
    this.#keep("notify", yes && Notification.permission === "granted");
    return yes && !this.notify ? "The browser did not allow notifications. Allow them in its settings of this address." : "";
  }

  #keep(name, yes) {
    this.#chosen[name] = yes;
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#chosen));
    } catch {
      // as above
    }
    this.onChange();
  }

  /** A page may sound only after somebody has touched it. */
  #wake() {
    const resume = () => {
      removeEventListener("pointerdown", resume);
      removeEventListener("keydown", resume);
      this.#context()?.resume().then(() => this.onChange(), () => {});
    };
    addEventListener("pointerdown", resume);
    addEventListener("keydown", resume);
  }

  #context() {
    try {
      this.#audio ??= new AudioContext();
    } catch {
      // A machine without sound.
    }
    return this.#audio;
  }

  /** Sounds once. */
  play() {
    const audio = this.#context();
    if (!audio) return;
    if (audio.state === "suspended") audio.resume().then(() => this.onChange(), () => {});
    NOTES.forEach((pitch, i) => {
      const begin = audio.currentTime + i * NOTE_S;
      const note = audio.createOscillator();
      const volume = audio.createGain();
      note.frequency.value = pitch;
      volume.gain.setValueAtTime(LOUDNESS, begin);
      volume.gain.exponentialRampToValueAtTime(0.001, begin + NOTE_S);
      note.connect(volume).connect(audio.destination);
      note.start(begin);
      note.stop(begin + NOTE_S);
    });
  }

  /** Calls for these sentences, as was chosen. Those that come too soon after others are told together. */
  call(sentences, now) {
    if (this.sound && now - this.#sounded >= SOUND_EVERY_MS) {
      this.#sounded = now;
      this.play();
    }
    if (!this.notify) return;
    this.#untold = [...this.#untold, ...sentences].slice(0, 100);
    const wait = Math.max(0, this.#notified + NOTIFY_EVERY_MS - now);
    this.#timer ||= setTimeout(() => this.#tell(), wait);
  }

  #tell() {
    this.#timer = 0;
    this.#notified = performance.now();
    const sentences = this.#untold;
    this.#untold = [];
    const title = sentences.length === 1 ? sentences[0] : `${sentences.length} alerts`;
    const body = sentences.length === 1 ? "" : sentences.slice(0, 5).join("\n");
    try {
      // It takes the place of the one before, and calls again.
      const told = new Notification(title, { body, tag: "tickerd-alerts", renotify: true, icon: "favicon.svg" });
      told.addEventListener("click", () => {
        focus();
        told.close();
      });
    } catch {
      // Chrome on Android has them only for pages with a service worker.
      this.#keep("notify", false);
    }
  }
}
