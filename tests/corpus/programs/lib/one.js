// A Worker that passes every request on to one object of a class.

export function one(binding) {
  return {
    fetch(request, env) {
      const namespace = env[binding];
      return namespace.get(namespace.idFromName("one")).fetch(request);
    },
  };
}
