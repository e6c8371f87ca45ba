import { randomBytes } from "node:crypto";

import bcrypt from "bcrypt";

/** A short link, perhaps behind a password. */
interface Link {
  target: string;
  visits: number;
  secret?: string;
}

export type Answer = { kind: "found"; target: string } | { kind: "locked" } | { kind: "missing" };

/** Links in memory, by their short names. */
export class Links {
  readonly #links = new Map<string, Link>();

  constructor(private readonly limit: number) {}

  get size(): number {
    return this.#links.size;
  }

  /** Keeps a link and returns its name; nothing when there is no room. */
  async add(target: string, password?: string): Promise<string | undefined> {
    if (this.#links.size >= this.limit) return undefined;
    const name = randomBytes(4).toString("hex");
    const secret = password === undefined ? undefined : await bcrypt.hash(password, 10);
    this.#links.set(name, { target, visits: 0, secret });
    return name;
  }

  /** Follows a link, if the password is right. */
  async follow(name: string, password = ""): Promise<Answer> {
    const link = this.#links.get(name);
    if (!link) return { kind: "missing" };
    if (link.secret && !(await bcrypt.compare(password, link.secret))) return { kind: "locked" };
    link.visits += 1;
    return { kind: "found", target: link.target };
  }

  /** The most visited names, with their visits. */
  top(count: number): { name: string; visits: number }[] {
    const all = [...this.#links].map(([name, { visits }]) => ({ name, visits }));
    return all.sort((a, b) => b.visits - a.visits || a.name.localeCompare(b.name)).slice(0, count);
  }
}
