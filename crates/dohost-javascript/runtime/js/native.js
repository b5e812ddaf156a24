// What the host can do, see src/host/. The name goes away, so that programs do not see it.
const native = globalThis.__native;
delete globalThis.__native;
export default native;
