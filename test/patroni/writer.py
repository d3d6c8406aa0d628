"""Writes one number after the other: writer.py DSN FIRST, and prints each that was acknowledged; ends with
its standard input. Whatever fails is tried again with the next number, on a new connection: an
acknowledgement that never came says nothing. writer.py DSN read prints all that are there."""

import sys
import threading
import time

import psycopg

dsn, what = sys.argv[1:]
if what == "read":
    with psycopg.connect(dsn) as connection:
        for (number,) in connection.execute("select n from written order by n"):
            print(number)
    sys.exit(0)

ended = threading.Event()


def wait_for_the_end():
    sys.stdin.read()
    ended.set()


threading.Thread(target=wait_for_the_end, daemon=True).start()
number = int(what)
connection = None
while not ended.is_set():
    number += 1
    try:
        if connection is None:
            connection = psycopg.connect(dsn, connect_timeout=2, autocommit=True)
            connection.execute("set statement_timeout = '5s'")
            connection.execute("create table if not exists written (n int primary key)")
        connection.execute("insert into written values (%s)", (number,))
        print(number, time.time(), flush=True)
    except psycopg.Error:
        if connection is not None:
            connection.close()
        connection = None
        ended.wait(0.1)
    ended.wait(0.01)
