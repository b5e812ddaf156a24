/** As classes were written before there was one to extend. */
export class Old implements DurableObject {
  constructor(
    readonly state: DurableObjectState,
    readonly env: Env,
  ) {}

  async fetch(request: Request): Promise<Response> {
    const count = ((await this.state.storage.get<number>(request.method)) ?? 0) + 1;
    await this.state.storage.put(request.method, count);
    return new Response(`${count}`);
  }
}
