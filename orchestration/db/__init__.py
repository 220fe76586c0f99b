"""PostgreSQL in few round trips: transactions, bulk statements, pipelines, pooled connections."""
