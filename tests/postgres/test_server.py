"""The embedded server: start, attach, stop."""

import psycopg2

from abq_data_entry.postgres import EmbeddedServer


def test_database_in_utf8(server: EmbeddedServer) -> None:
    server.create_database("utf8")
    server.create_database("utf8")
    connection = psycopg2.connect(**server.endpoint("utf8"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('server_encoding'), current_setting('data_checksums')")
        assert cursor.fetchone() == ("abq", "UTF8", "on")
    connection.close()
