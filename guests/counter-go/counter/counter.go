// Package counter counts. Every name is a counter of its own, with its own store.
package counter

import (
	"errors"
	"math"
	"strconv"

	storage "wit_component/dohost_object_storage"
)

const key = "count"

// Read gives what was counted so far; 0 if nothing was ever counted.
func Read() (int64, error) {
	stored := storage.Get(key)
	if stored.IsErr() {
		return 0, refusal(stored.Err())
	}
	if stored.Ok().IsNone() {
		return 0, nil
	}
	count, err := strconv.ParseInt(string(stored.Ok().Some()), 10, 64)
	if err != nil {
		return 0, errors.New("the stored count is not a number")
	}
	return count, nil
}

// Add adds to the counter and gives its new value.
//
// Read, add, write: needs no lock. While the object waits for its storage no other request gets in between, so no count
// is lost. And the write needs no waiting: the reply leaves only once the new value is on disk.
func Add(amount int64) (int64, error) {
	count, err := Read()
	if err != nil {
		return 0, err
	}
	if amount > 0 && count > math.MaxInt64-amount || amount < 0 && count < math.MinInt64-amount {
		return 0, errors.New("the counter is full")
	}
	count += amount
	if put := storage.Put(key, strconv.AppendInt(nil, count, 10)); put.IsErr() {
		return 0, refusal(put.Err())
	}
	return count, nil
}

// The host refused a storage call: its words are our exception.
func refusal(refused storage.Error) error {
	switch refused.Tag() {
	case storage.Error_Invalid:
		return errors.New(refused.Invalid())
	case storage.Error_TooLarge:
		return errors.New(refused.TooLarge())
	default:
		return errors.New(refused.NotAllowed())
	}
}
