"""The tables that make a database one of ours, empty: what a backup and a restore ask for."""

OURS = """
    CREATE TABLE labs (id char(1));
    CREATE TABLE lab_techs (id smallint, name text);
    CREATE TABLE plots (lab_id char(1), plot smallint, current_seed_sample char(6));
    CREATE TABLE lab_checks (date date, time time, lab_id char(1), lab_tech_id smallint);
    CREATE TABLE plot_checks (date date, time time, lab_id char(1), plot smallint, seed_sample char(6),
        humidity numeric, light numeric, temperature numeric, equipment_fault boolean, blossoms smallint,
        plants smallint, fruit smallint, max_height numeric, min_height numeric, median_height numeric, notes text);
"""
