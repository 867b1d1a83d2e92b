package wire

import "math"

const (
	minQuestion = 5 // head, number, kind
	minResult   = 5 // head, number, status
)

// again gives n elements that are zero, in the memory of list if they fit.
func again[T any](list []T, n int) []T {
	if cap(list) < n {
		return make([]T, n)
	}
	list = list[:n]
	clear(list)
	return list
}

func (r *reader) ask(m *Ask) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			m.Inc = r.uint()
		case 2:
			m.To = r.uint()
		case 3:
			m.Batch = r.uint()
		case 4:
			m.Caches = r.names("caches", MaxCaches)
		case 5:
			if n := r.list("questions", MaxQuestions, minQuestion); n > 0 {
				m.Questions = again(m.Questions, n)
				for i := range m.Questions {
					r.question(&m.Questions[i])
				}
			}
		case 6:
			m.Bases = r.applied("bases")
		case 7:
			m.Records = r.records()
		default:
			r.skip(1)
		}
	}
}

func (r *reader) question(q *Question) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			q.Number = r.uint()
		case 2:
			q.Kind = Asked(r.small(math.MaxUint8))
		case 3:
			q.Cache = int(r.small(MaxCaches))
		case 4:
			q.Key = r.bytes()
		case 5:
			q.Left = r.int()
		case 6:
			q.RuledOut = r.names("ruled out", MaxRuledOut)
		case 7:
			q.Flags = uint8(r.small(math.MaxUint8))
		case 8:
			q.MaxAge = r.int()
		case 9:
			q.Reads = uint32(r.small(math.MaxUint32))
		case 10:
			q.Transfer = r.uint()
		case 11:
			q.Offset = r.int()
		case 12:
			q.Length = r.int()
		case 13:
			q.Trace = r.text()
		default:
			r.skip(3)
		}
	}
}

func (r *reader) answer(m *Answer) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			m.Inc = r.uint()
		case 2:
			m.To = r.uint()
		case 3:
			m.Batch = r.uint()
		case 4:
			if n := r.list("results", MaxQuestions, minResult); n > 0 {
				m.Results = again(m.Results, n)
				for i := range m.Results {
					r.result(&m.Results[i])
				}
			}
		case 5:
			m.Flags = uint8(r.small(math.MaxUint8))
		default:
			r.skip(1)
		}
	}
}

func (r *reader) result(s *Result) {
	for f := r.fields(); f.next(); {
		switch f.key {
		case 1:
			s.Number = r.uint()
		case 2:
			s.Status = Status(r.small(math.MaxUint8))
		case 3:
			s.Length = r.int()
		case 4:
			s.Age = r.int()
		case 5:
			s.Life = r.int()
		case 6:
			s.Spent = r.int()
		case 7:
			s.Flags = uint8(r.small(math.MaxUint8))
		case 8:
			s.Instead = r.text()
		case 9:
			s.Error = r.text()
		case 10:
			s.ETag = r.text()
		case 11:
			s.Version = r.uint()
		case 12:
			s.Tags = r.names("tags", MaxTags)
		case 13:
			s.Transfer = r.uint()
		case 14:
			s.Size = r.int()
		case 15:
			s.Owner = r.text()
		default:
			r.skip(3)
		}
	}
}
