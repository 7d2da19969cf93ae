import { forgetMembers, MEMBER_LIMIT, SEEN, type Shape } from '../schema/shape.ts';
import { type NamePattern, namePattern } from './words.ts';

/** A shape while it is being taken: members in the order in which they were first seen, so that the next record finds them in step. */
export class ShapeNode {
  seen = 0;
  integerDigits = 0;
  scale = 0;
  element: ShapeNode | null = null;
  /** In the order in which they were first seen. */
  readonly children: ShapeNode[] = [];
  readonly name: string;
  /** Null where only the decoded name may be compared. */
  readonly pattern: NamePattern | null;
  /** Its place among its parent's children; -1 while it is wanted, and was not seen. */
  place = -1;
  /** The object in which the member was last seen: seen again in the same one, it is a duplicate. */
  object = 0;
  /** Place in the captured fields, -1 where it is not wanted. */
  capture = -1;
  private index: Map<string, ShapeNode> | null = null;
  private readonly limit: number;

  /** @param limit names of members past which they are data. */
  constructor(name: string, limit = MEMBER_LIMIT) {
    this.name = name;
    this.limit = limit;
    this.pattern = namePattern(name);
  }

  /** A member whose bytes are wanted has its place, however many names there are. */
  want(name: string, capture: number): void {
    const child = this.known(name);
    if (child) child.capture = capture;
  }

  /** @returns null, and is marked as crowded, where there are too many names already. */
  child(name: string): ShapeNode | null {
    const child = this.known(name);
    if (child && child.place < 0) child.place = this.children.push(child) - 1;
    return child;
  }

  private known(name: string): ShapeNode | null {
    this.index ??= new Map();
    const known = this.index.get(name);
    if (known) return known;
    if (this.index.size >= this.limit) {
      this.seen |= SEEN.crowded;
      return null;
    }
    const child = new ShapeNode(name);
    this.index.set(name, child);
    return child;
  }

  shape(): Shape {
    const { seen, integerDigits, scale, element, children } = this;
    const members = (seen & SEEN.object) !== 0 ? new Map(children.map((child) => [child.name, child.shape()])) : null;
    const shape = { seen, integerDigits, scale, element: element?.shape() ?? null, members };
    if (seen & SEEN.crowded) forgetMembers(shape);
    return shape;
  }
}
