#!/bin/sh
# Run once by the PostgreSQL image on an empty volume: a database and a role for each service, closed to the others.
set -eu

for service in orchestration inventory payments shipping orders gateway carrier; do
    psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
        --set service="$service" --set database="shop_$service" --set password="$DATABASE_PASSWORD" <<'SQL'
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"database" OWNER :"service";
REVOKE CONNECT ON DATABASE :"database" FROM PUBLIC;
SQL
done
