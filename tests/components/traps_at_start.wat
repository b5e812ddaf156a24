(component
  ;; An object whose start code traps. Rust has no way to write one.
  (import "dohost:object/types@0.1.0" (instance $types
    (type $header' (record (field "name" string) (field "value" (list u8))))
    (export "header" (type $header (eq $header')))
    (type $request' (record
      (field "method" string)
      (field "scheme" string)
      (field "authority" string)
      (field "path" string)
      (field "query" (option string))
      (field "headers" (list $header))
      (field "body" (list u8))))
    (export "request" (type (eq $request')))
    (type $response' (record (field "status" u16) (field "headers" (list $header)) (field "body" (list u8))))
    (export "response" (type (eq $response')))))
  (alias export $types "request" (type $request))
  (alias export $types "response" (type $response))

  (core module $module
    (memory (export "memory") 1)
    (func $start unreachable)
    (start $start)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "fetch")
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
      unreachable))
  (core instance $instance (instantiate $module))

  (func $fetch async (param "request" $request) (result (result $response (error string)))
    (canon lift (core func $instance "fetch")
      (memory (core memory $instance "memory")) (realloc (core func $instance "realloc"))))
  (instance $handler (export "fetch" (func $fetch)))
  (export "dohost:object/handler@0.1.0" (instance $handler)))
