// The moment that the video and all charts show together.

/** Emits "time" when the moment changes; whoever moves it calls `seek`, the video follows. */
export class Clock extends EventTarget {
  constructor(duration) {
    super();
    this.duration = duration;
    this.time = 0;
    this.playing = false;
  }

  /** The video has come to this moment. */
  tell(time) {
    const clipped = Math.min(Math.max(time, 0), this.duration);
    if (clipped === this.time) return;
    this.time = clipped;
    this.dispatchEvent(new Event("time"));
  }

  /** Somebody wants to see this moment. */
  seek(time) {
    this.tell(time);
    this.dispatchEvent(new Event("seek"));
  }

  /** Call `listener` now and whenever the moment changes. */
  each(listener) {
    this.addEventListener("time", () => listener(this.time));
    listener(this.time);
  }
}
