// Package export_wit_world has the methods of the object. The bindings look for it by its name.
package export_wit_world

import (
	"wit_component/counter"
	"wit_component/memory"

	"go.bytecodealliance.org/pkg/wit/types"
)

// Increment adds 1, or what it is told, and gives the new value.
func Increment(by wit_types.Option[uint32]) wit_types.Result[int64, string] {
	memory.Collect()
	return result(counter.Add(int64(by.SomeOr(1))))
}

// Value gives what was counted so far.
func Value() wit_types.Result[int64, string] {
	memory.Collect()
	return result(counter.Read())
}

func result(count int64, err error) wit_types.Result[int64, string] {
	if err != nil {
		return wit_types.Err[int64](err.Error())
	}
	return wit_types.Ok[int64, string](count)
}
