// Package kafka gives a test suite real Apache Kafka 4.x brokers:
//
//   - those that KAFKA_BROKERS names, where it is set;
//   - else Kafka's own jars, fetched by Maven (pom.xml) and run by Java 17 or
//     newer, one process a broker, on free ports of the loopback interface;
//   - else, without Java or Maven, a container by docker compose.
//
// The jars come before the containers because a process of one's own can be
// stopped, killed and restarted on the same port and data, which is what the
// tests of a broker's failures need. Nothing here skips: who asks for Kafka
// and can't have it gets an error that names the way out.
//
// The package doesn't import testing, so that commands can use it too.
package kafka
