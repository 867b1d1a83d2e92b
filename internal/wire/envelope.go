package wire

import (
	"bytes"
	"fmt"
)

// Version is the version of the protocol. Members of different versions cannot
// read each other's messages. It grows when a message changes its meaning; new
// fields alone do not change it.
const Version = 1

// kind is the type of a message: the sixth byte of its envelope.
type kind uint8

const (
	kindBeat kind = 1 + iota
	kindTold
	kindConfirm
	kindWant
	kindTail
	kindGone
	kindTaken
	kindAsk
	kindAnswer
)

var kindNames = [...]string{"", "beat", "told", "confirm", "want", "tail", "gone", "taken", "ask", "answer"}

func (k kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("type %d", uint8(k))
	}
	return kindNames[k]
}

// magic is the head of an array of three and its first item, the text "cm".
const magic = "\x83\x62cm"

const headSize = len(magic) + 2

// maxSmall is the greatest number that CBOR encodes in one byte: the version
// and the type of a message are at most that.
const maxSmall = 23

func appendHead(dst []byte, k kind) []byte {
	return append(append(dst, magic...), Version, byte(k))
}

// open reads the envelope and returns the type of the message and the rest.
func open(data []byte) (kind, []byte, error) {
	if !bytes.HasPrefix(data, []byte(magic)) || len(data) < headSize ||
		data[len(magic)] > maxSmall || data[len(magic)+1] > maxSmall {
		return 0, nil, ErrNotOurs
	}
	if v := data[len(magic)]; v != Version {
		return 0, nil, fmt.Errorf("%w: it speaks version %d, this member speaks version %d", ErrVersion, v, Version)
	}
	return kind(data[len(magic)+1]), data[headSize:], nil
}

// openAs is open for a message that must be of one type.
func openAs(data []byte, want kind) ([]byte, error) {
	k, rest, err := open(data)
	if err != nil {
		return nil, err
	}
	if k != want {
		return nil, malformed("%v where %v belongs", k, want)
	}
	return rest, nil
}
