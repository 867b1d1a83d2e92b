//go:build race

package roster

// raced is true under the race detector, under which everything takes many times as long.
const raced = true
