"""The data plane: every hit, once, in open Parquet files; and the expressions that read them."""
