// Package export_dohost_object_handler is what the host calls for each HTTP request. The bindings look for it by its name.
package export_dohost_object_handler

import (
	"strconv"

	"wit_component/counter"
	"wit_component/dohost_object_types"
	"wit_component/memory"

	"go.bytecodealliance.org/pkg/wit/types"
)

type result = wit_types.Result[dohost_object_types.Response, string]

// Fetch answers one request.
func Fetch(request dohost_object_types.Request) result {
	memory.Collect()
	switch request.Path {
	case "/", "/value":
		return number(counter.Read())
	case "/increment":
		return number(counter.Add(1))
	case "/decrement":
		return number(counter.Add(-1))
	default:
		return text(404, "Not found")
	}
}

func number(count int64, err error) result {
	if err != nil {
		return wit_types.Err[dohost_object_types.Response](err.Error())
	}
	return text(200, strconv.FormatInt(count, 10))
}

func text(status uint16, body string) result {
	return wit_types.Ok[dohost_object_types.Response, string](dohost_object_types.Response{
		Status:  status,
		Headers: []dohost_object_types.Header{{Name: "content-type", Value: []byte("text/plain")}},
		Body:    []byte(body),
	})
}
