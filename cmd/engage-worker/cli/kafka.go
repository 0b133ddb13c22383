package cli

import (
	"context"
	"errors"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/tail"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/letters"
)

// Explained puts an error of Kafka's in plain words, a line for each topic.
func Explained(err error) error {
	if err == nil {
		return nil
	}
	if topic := (*topics.Error)(nil); errors.As(err, &topic) {
		return err // says it itself
	}
	return errors.New(connect.Explain(err))
}

// ExplainedLetters puts what went wrong with dead letters into one line. A topic
// that isn't there is bad input: the configuration names another one.
func ExplainedLetters(ctx context.Context, desk *letters.Desk, err error) error {
	var own *ownError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.err
	case ctx.Err() != nil:
		return errors.New("interrupted; what was shown or written is not everything")
	}
	explained := errors.New(desk.Explain(err))
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		return BadInput(explained)
	}
	return explained
}

// ownError is an error that isn't Kafka's and says all itself.
type ownError struct{ err error }

func (e *ownError) Error() string { return e.err.Error() }

// Own marks an error as one that isn't Kafka's, for ExplainedLetters to leave as
// it is.
func Own(err error) error { return &ownError{err} }

// Follow calls each for what comes after the end of a topic, until ctx ends, which
// is no error. An error is each's, or Kafka's in words.
func Follow(ctx context.Context, end *tail.Tail, each func(kafka.Message) error) error {
	var own error
	err := end.Follow(ctx, func(m kafka.Message) error {
		own = each(m)
		return own
	})
	if own != nil {
		return own
	}
	return Explained(err)
}
