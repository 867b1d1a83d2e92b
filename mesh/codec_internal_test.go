package mesh

import "testing"

func TestASmallPartOfALargeBufferIsCopiedOut(t *testing.T) {
	encode := newCoder[[]byte](nil).encode
	for _, tt := range []struct {
		len, cap int
		copied   bool
	}{{1000, 16 << 10, true}, {1000, 1024, false}, {0, 1 << 20, true}, {1 << 20, 1<<20 + 1<<17, false}, {10, 10, false}} {
		b := make([]byte, tt.len, tt.cap)
		got, err := encode(b)
		if err != nil || len(got) != tt.len || cap(got) > tt.len+tt.len/4+64 {
			t.Errorf("%d of %d bytes: %d of %d are kept, %v", tt.len, tt.cap, len(got), cap(got), err)
		}
		if tt.len > 0 {
			if copied := &got[0] != &b[0]; copied != tt.copied {
				t.Errorf("%d of %d bytes: copied %v", tt.len, tt.cap, copied)
			}
		}
	}
}

type roomy struct{ Codec }

func (r roomy) Marshal(v any) ([]byte, error) {
	b, err := r.Codec.Marshal(v)
	return append(make([]byte, 0, 8<<10), b...), err // as a buffer does that has been grown
}

func TestWhatACodecLeavesRoomInIsCopiedOut(t *testing.T) {
	data, err := newCoder[int](roomy{CBOR}).encode(7)
	if err != nil || len(data) == 0 || cap(data) > 128 {
		t.Errorf("%d of %d bytes are kept, %v", len(data), cap(data), err)
	}
}
