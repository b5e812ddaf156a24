# workerd with what is measured, once with its storage on disk (SQLite) and once in memory. The runner gives the address and
# the directory on the command line.
#
# preventEviction keeps objects resident; dohost is run with a long idle timeout to the same end.

using Workerd = import "/workerd/workerd.capnp";

const disk :Workerd.Config = (
  services = [ (name = "main", worker = .onDisk), (name = "objects", disk = (writable = true)) ],
  sockets = [ (name = "http", http = (), service = "main") ],
);

const memory :Workerd.Config = (
  services = [ (name = "main", worker = .inMemory) ],
  sockets = [ (name = "http", http = (), service = "main") ],
);

const bindings :List(Workerd.Worker.Binding) = [
  (name = "COUNTER", durableObjectNamespace = "Counter"),
  (name = "BENCH", durableObjectNamespace = "Bench"),
];

const onDisk :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "worker.js") ],
  compatibilityDate = "2026-10-01",
  bindings = .bindings,
  durableObjectNamespaces = [
    (className = "Counter", uniqueKey = "dohost-bench-counter", enableSql = true, preventEviction = true),
    (className = "Bench", uniqueKey = "dohost-bench-bench", enableSql = true, preventEviction = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
);

const inMemory :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "worker.js") ],
  compatibilityDate = "2026-10-01",
  bindings = .bindings,
  durableObjectNamespaces = [
    (className = "Counter", uniqueKey = "dohost-bench-counter", enableSql = false, preventEviction = true),
    (className = "Bench", uniqueKey = "dohost-bench-bench", enableSql = false, preventEviction = true),
  ],
  durableObjectStorage = (inMemory = void),
);
