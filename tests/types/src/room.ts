import { DurableObject, env } from "cloudflare:workers";
import notes from "./notes.txt";

interface Message {
  text: string;
  at: Date;
  tags: Map<string, number>;
}

export class ChatRoom extends DurableObject<Env> {
  private count = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      this.count = (await ctx.storage.get<number>("count")) ?? 0;
    });
  }

  override async fetch(request: Request): Promise<Response> {
    const name: string | undefined = this.ctx.id.name;
    return Response.json({ name, notes, url: request.url, said: [this.env.GREETING, this.env["with-dash"], env.TOKEN] });
  }

  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    if (info?.isRetry) return;
    const messages = await this.ctx.storage.list<Message>({ prefix: "message:", reverse: true, limit: 10 });
    for (const [key, message] of messages) console.log(key, message.at.getTime(), info?.scheduledTime);
    await this.ctx.storage.setAlarm(new Date(Date.now() + 1000));
    const at: number | null = await this.ctx.storage.getAlarm();
    if (at) await this.ctx.storage.deleteAlarm();
  }

  say(text: string, tags: string[] = []): number {
    const message: Message = { text, at: new Date(), tags: new Map(tags.map((tag, index) => [tag, index])) };
    void this.ctx.storage.put({ [`message:${this.count++}`]: message }, { allowUnconfirmed: true });
    return this.count;
  }

  async move(to: DurableObjectId): Promise<void> {
    await this.ctx.storage.transaction(async (transaction) => {
      const all = await transaction.get<Message>(["message:0", "message:1"]);
      const deleted: number = await transaction.delete([...all.keys()]);
      if (deleted === 0) transaction.rollback();
    });
    await this.env.ROOM.get(to).say("moved");
    await this.ctx.storage.deleteAll();
    await this.ctx.storage.sync();
    this.ctx.waitUntil(Promise.resolve());
  }
}
