// Package memory collects garbage between events instead of at any time.
//
// Go's collector asks for the time of day when it is done. That is a call of the host, and the component model forbids those
// while the host lays out what it hands over. Were the collector to run then, the object would trap.
package memory

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// Garbage is collected after so many bytes were allocated.
	every = 4 << 20
	// An event that holds on to more than this is collected at any time after all, rather than have no memory left.
	most = 64 << 20
)

var allocated = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
var before uint64

func init() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(most)
}

// Collect collects garbage if it is time to. Call it where an event begins.
func Collect() {
	metrics.Read(allocated)
	if now := allocated[0].Value.Uint64(); now-before >= every {
		runtime.GC()
		before = now
	}
}
