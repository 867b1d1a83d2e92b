package store

// place tells in which queue of its segment a value is.
type place uint8

const (
	nowhere place = iota
	onProbation
	inMain
)

// queue is a queue of values, the newest first. Guarded by its segment's mutex.
type queue struct {
	newest, oldest *Value
	at             place
	entries, bytes int64
}

// push puts v in as the newest.
func (q *queue) push(v *Value, cost int64) {
	v.place = q.at
	v.prev, v.next = nil, q.newest
	if q.newest != nil {
		q.newest.prev = v
	} else {
		q.oldest = v
	}
	q.newest = v
	q.entries++
	q.bytes += cost
}

// unlink takes v out.
func (q *queue) unlink(v *Value, cost int64) {
	if v.prev != nil {
		v.prev.next = v.next
	} else {
		q.newest = v.next
	}
	if v.next != nil {
		v.next.prev = v.prev
	} else {
		q.oldest = v.prev
	}
	v.prev, v.next, v.place = nil, nil, nowhere
	q.entries--
	q.bytes -= cost
}

// replace puts v in the place of old. They cost the same.
func (q *queue) replace(old, v *Value) {
	v.prev, v.next, v.place = old.prev, old.next, q.at
	if v.prev != nil {
		v.prev.next = v
	} else {
		q.newest = v
	}
	if v.next != nil {
		v.next.prev = v
	} else {
		q.oldest = v
	}
	old.prev, old.next, old.place = nil, nil, nowhere
}
