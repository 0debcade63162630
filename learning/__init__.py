"""What is learnt from a purpose's models: functions of arrays, without a file or a clock. dbt's Python models call them."""
