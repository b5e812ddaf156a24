# workerd with websockets, once with objects that hibernate (after ten seconds) and once with objects that stay.

using Workerd = import "/workerd/workerd.capnp";

const hibernating :Workerd.Config = (
  services = [ (name = "main", worker = .evicted) ],
  sockets = [ (name = "http", http = (), service = "main") ],
);

const resident :Workerd.Config = (
  services = [ (name = "main", worker = .kept) ],
  sockets = [ (name = "http", http = (), service = "main") ],
);

const evicted :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "sockets.js") ],
  compatibilityDate = "2026-10-01",
  bindings = [ (name = "SOCKETS", durableObjectNamespace = "Sockets") ],
  durableObjectNamespaces =
    [ (className = "Sockets", uniqueKey = "dohost-bench-sockets", enableSql = false) ],
  durableObjectStorage = (inMemory = void),
);

const kept :Workerd.Worker = (
  modules = [ (name = "worker.js", esModule = embed "sockets.js") ],
  compatibilityDate = "2026-10-01",
  bindings = [ (name = "SOCKETS", durableObjectNamespace = "Sockets") ],
  durableObjectNamespaces =
    [ (className = "Sockets", uniqueKey = "dohost-bench-sockets", enableSql = false, preventEviction = true) ],
  durableObjectStorage = (inMemory = void),
);
