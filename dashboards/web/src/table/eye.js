// Which rows are in the window, or nearly. Only the rows of blocks that are near are observed one by one.

const BLOCK_MARGIN = "800px 0px";
const ROW_MARGIN = "240px 0px";

export class Eye {
  #blocks = new Map();
  #rowOf;
  #onSeen;
  #near;
  #seen;

  /** @param {(row: object, isVisible: boolean) => void} onSeen @param {(name: string) => object | undefined} rowOf */
  constructor(onSeen, rowOf) {
    this.#onSeen = onSeen;
    this.#rowOf = rowOf;
    this.#near = new IntersectionObserver((entries) => this.#judge(entries), { rootMargin: BLOCK_MARGIN });
    this.#seen = new IntersectionObserver((entries) => this.#tell(entries), { rootMargin: ROW_MARGIN });
  }

  add(block) {
    this.#blocks.set(block.element, block);
    this.#near.observe(block.element);
  }

  drop(block) {
    this.#blocks.delete(block.element);
    this.#near.unobserve(block.element);
  }

  /** A row is in another block now. */
  watch(row, block) {
    if (block.isNear) this.#seen.observe(row.element);
    else this.leave(row);
  }

  leave(row) {
    this.#seen.unobserve(row.element);
    if (row.visible) this.#onSeen(row, false);
  }

  #judge(entries) {
    for (const { target, isIntersecting } of entries) {
      const block = this.#blocks.get(target);
      if (!block || block.isNear === isIntersecting) continue;
      block.isNear = isIntersecting;
      for (const row of block.rows) this.watch(row, block);
    }
  }

  #tell(entries) {
    for (const { target, isIntersecting } of entries) {
      const row = this.#rowOf(target.dataset.topic);
      if (row) this.#onSeen(row, isIntersecting);
    }
  }
}
