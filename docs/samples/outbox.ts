/**
 * The outbox of a Quire client: edits that the sync service has not acknowledged yet.
 *
 * An edit is put here before it is sent and leaves when its counter is acknowledged, so that a crash,
 * a lost connection or a dead server never costs the writer a word.
 */

export type BlockId = string;
export type ClientId = string;

/** One edit of one block. Positions are UTF-16 code units inside the block's text. */
export type Operation =
  | { kind: "insert"; block: BlockId; at: number; text: string }
  | { kind: "delete"; block: BlockId; at: number; length: number }
  | { kind: "move"; block: BlockId; after: BlockId | null }
  | { kind: "format"; block: BlockId; style: "paragraph" | "heading" | "code" };

/** An operation with what makes it safe to send twice. */
export interface Envelope {
  client: ClientId;
  /** Counts up by one per client, without gaps. */
  counter: number;
  /** The note's revision that the client had seen when the edit was made. */
  seen: number;
  operation: Operation;
}

/** What an earlier run of the client left behind. */
export interface StoredOutbox {
  waiting: Envelope[];
  /** The last counter ever given out; counters are never used again, also after an acknowledgement. */
  lastCounter: number;
}

export interface OutboxStorage {
  load(): Promise<StoredOutbox>;
  append(envelope: Envelope): Promise<void>;
  removeUpTo(counter: number): Promise<void>;
}

export interface OutboxOptions {
  client: ClientId;
  storage: OutboxStorage;
  /** Operations in one message; the service takes at most 5,000. */
  batchSize?: number;
  /** Above this many waiting operations, `add` throws `OutboxFull`. */
  capacity?: number;
}

export const DEFAULT_BATCH_SIZE = 500;
export const DEFAULT_CAPACITY = 5_000;

export class OutboxFull extends Error {
  constructor(readonly capacity: number) {
    super(`The outbox already holds ${capacity} unacknowledged operations`);
    this.name = "OutboxFull";
  }
}

/**
 * Keeps unacknowledged operations in order, in memory and in storage.
 *
 * Open it with {@link Outbox.open}, which loads what an earlier run of the client left behind.
 */
export class Outbox {
  private waiting: Envelope[];
  private nextCounter: number;
  private readonly batchSize: number;
  private readonly capacity: number;

  private constructor(private readonly options: OutboxOptions, stored: StoredOutbox) {
    this.waiting = [...stored.waiting].sort((left, right) => left.counter - right.counter);
    this.nextCounter = stored.lastCounter + 1;
    this.batchSize = options.batchSize ?? DEFAULT_BATCH_SIZE;
    this.capacity = options.capacity ?? DEFAULT_CAPACITY;
  }

  static async open(options: OutboxOptions): Promise<Outbox> {
    return new Outbox(options, await options.storage.load());
  }

  get size(): number {
    return this.waiting.length;
  }

  /** Stores an operation and returns it as it will be sent. */
  async add(operation: Operation, seen: number): Promise<Envelope> {
    if (this.waiting.length >= this.capacity) {
      throw new OutboxFull(this.capacity);
    }
    const envelope: Envelope = {
      client: this.options.client,
      counter: this.nextCounter,
      seen,
      operation,
    };
    this.nextCounter += 1;
    this.waiting.push(envelope);
    await this.options.storage.append(envelope);
    return envelope;
  }

  /** The oldest operations that fit into one message, oldest first. */
  nextBatch(): readonly Envelope[] {
    return this.waiting.slice(0, this.batchSize);
  }

  async acknowledge(counter: number): Promise<number> {
    const before = this.waiting.length;
    this.waiting = this.waiting.filter((envelope) => envelope.counter > counter);
    const removed = before - this.waiting.length;
    if (removed > 0) {
      await this.options.storage.removeUpTo(counter);
    }
    return removed;
  }
}

/**
 * Moves `operation` behind `earlier`, which the service had put in front of it.
 *
 * Gives no operation when nothing of it is left, for example when both deleted the same text, and two when
 * somebody wrote into the middle of what is deleted: their text stays.
 */
export function transform(operation: Operation, earlier: Operation): Operation[] {
  if (operation.block !== earlier.block) {
    return [operation];
  }
  if (operation.kind !== "insert" && operation.kind !== "delete") {
    return [operation];
  }
  if (earlier.kind === "insert") {
    return afterInsertion(operation, earlier.at, earlier.text.length);
  }
  if (earlier.kind === "delete") {
    return afterDeletion(operation, earlier.at, earlier.length);
  }
  return [operation];
}

export function transformAll(operations: Operation[], earlier: Operation[]): Operation[] {
  return earlier.reduce(
    (pending, done) => pending.flatMap((operation) => transform(operation, done)),
    operations,
  );
}

type TextOperation = Extract<Operation, { kind: "insert" | "delete" }>;

function afterInsertion(operation: TextOperation, at: number, length: number): Operation[] {
  if (at <= operation.at) {
    return [{ ...operation, at: operation.at + length }];
  }
  if (operation.kind === "insert" || at >= operation.at + operation.length) {
    return [operation];
  }
  const before = at - operation.at;
  return [
    { ...operation, length: before },
    // The first part is applied before the second: what it deletes no longer counts.
    { ...operation, at: at + length - before, length: operation.length - before },
  ];
}

function afterDeletion(operation: TextOperation, at: number, length: number): Operation[] {
  const movedBack = Math.min(Math.max(operation.at - at, 0), length);
  if (operation.kind === "insert") {
    return [{ ...operation, at: operation.at - movedBack }];
  }
  const stop = operation.at + operation.length;
  const overlap = Math.max(0, Math.min(stop, at + length) - Math.max(operation.at, at));
  if (overlap === operation.length) {
    return [];
  }
  return [{ ...operation, at: operation.at - movedBack, length: operation.length - overlap }];
}
