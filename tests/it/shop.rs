//! Customers → invoices → invoice lines, employees that report to each other: the shape of most applications.

use lethe_tests::compare::{assert_same_rows, assert_same_schema, sequences};
use lethe_tests::oracle;
use lethe_tests::world::World;

const SHOP: &str = "
    CREATE TABLE employee (id serial PRIMARY KEY, name text NOT NULL, reports_to int REFERENCES employee);
    CREATE TABLE customer (id serial PRIMARY KEY, name text NOT NULL, email text UNIQUE, support int REFERENCES employee);
    CREATE TABLE invoice (id serial PRIMARY KEY, customer_id int NOT NULL REFERENCES customer, total numeric(10,2));
    CREATE TABLE invoice_line (id bigserial PRIMARY KEY, invoice_id int NOT NULL REFERENCES invoice, track text);
    CREATE INDEX ON invoice (customer_id);
    INSERT INTO employee (name, reports_to) SELECT 'employee ' || i, nullif(i / 3, 0) FROM generate_series(1, 30) i;
    INSERT INTO customer (name, email, support) SELECT 'customer ' || i, i || '@example.org', i % 30 + 1 FROM generate_series(1, 2000) i;
    INSERT INTO invoice (customer_id, total) SELECT i % 2000 + 1, i FROM generate_series(1, 9000) i;
    INSERT INTO invoice_line (invoice_id, track) SELECT i % 9000 + 1, repeat('track ', i % 20) FROM generate_series(1, 40000) i;";

#[tokio::test(flavor = "multi_thread")]
async fn erased_customers_and_an_employee_are_gone_with_all_that_was_theirs() {
    let world = World::new().await;
    world.server.sql("source", SHOP);
    let stats = world.snapshot().await.expect("snapshot");
    assert_eq!(stats.rows, 30 + 2000 + 9000 + 40000);
    world.erase_integers("customer", [1, 5, 77, 1999, 1_000_000]).await;
    world.erase_integers("employee", [3]).await;
    let report = world.restore(&world.server, "restored").await.expect("restore");

    oracle::delete(
        &world.server,
        "source",
        "oracle",
        "DELETE FROM customer WHERE id IN (1, 5, 77, 1999); DELETE FROM employee WHERE id = 3",
    )
    .expect("delete");
    assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
    assert_same_schema((&world.server, "source"), (&world.server, "restored"));
    assert_eq!(report.rows.read, stats.rows);
    assert_eq!(report.rows.read, report.rows.loaded + report.rows.dropped);
    assert!(report.rows.dropped > 100);
    // An id that was erased is never given out again.
    assert_eq!(
        sequences(&world.server, "source").replace("customer_id_seq|2000", "customer_id_seq|1000000"),
        sequences(&world.server, "restored")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_erased_means_everything_comes_back() {
    let world = World::new().await;
    world.server.sql("source", SHOP);
    world.snapshot().await.expect("snapshot");
    let again = world.snapshot().await.expect("snapshot");
    assert_eq!(
        (again.new_bytes, again.reused_chunks),
        (0, again.chunks),
        "an unchanged chunk is not uploaded twice"
    );
    world.restore(&world.server, "restored").await.expect("restore");
    assert_same_rows((&world.server, "source"), (&world.server, "restored"));
    assert_same_schema((&world.server, "source"), (&world.server, "restored"));
    assert_eq!(sequences(&world.server, "source"), sequences(&world.server, "restored"));
}
