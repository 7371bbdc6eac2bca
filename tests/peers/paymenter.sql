-- SPDX-License-Identifier: GPL-3.0-or-later
-- The tables of a Paymenter shop as far as Belfry asks them, with a healthy shop in them. Times are in UTC.
CREATE DATABASE paymenter;
USE paymenter;
CREATE TABLE settings (id BIGINT AUTO_INCREMENT PRIMARY KEY, `key` VARCHAR(191), value TEXT, type VARCHAR(50), encrypted TINYINT DEFAULT 0,
    settingable_type VARCHAR(191), settingable_id BIGINT);
CREATE TABLE cron_stats (id BIGINT AUTO_INCREMENT PRIMARY KEY, `key` VARCHAR(191), value INT, date DATE);
CREATE TABLE jobs (id BIGINT AUTO_INCREMENT PRIMARY KEY, queue VARCHAR(191), payload LONGTEXT, attempts TINYINT, reserved_at INT UNSIGNED,
    available_at INT UNSIGNED, created_at INT UNSIGNED);
CREATE TABLE failed_jobs (id BIGINT AUTO_INCREMENT PRIMARY KEY, uuid VARCHAR(191), queue TEXT, payload LONGTEXT, exception LONGTEXT,
    failed_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE services (id BIGINT PRIMARY KEY, order_id BIGINT, product_id BIGINT, user_id BIGINT, status VARCHAR(20), expires_at TIMESTAMP NULL,
    created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL);
CREATE TABLE invoices (id BIGINT PRIMARY KEY, number VARCHAR(20), status VARCHAR(20), due_at TIMESTAMP NULL, user_id BIGINT, created_at TIMESTAMP NULL,
    updated_at TIMESTAMP NULL);
CREATE TABLE invoice_items (id BIGINT AUTO_INCREMENT PRIMARY KEY, invoice_id BIGINT, reference_type VARCHAR(191), reference_id BIGINT,
    price DECIMAL(10, 2), quantity INT);
CREATE TABLE invoice_transactions (id BIGINT AUTO_INCREMENT PRIMARY KEY, invoice_id BIGINT, gateway_id BIGINT, amount DECIMAL(10, 2), fee DECIMAL(10, 2),
    transaction_id VARCHAR(191), status VARCHAR(20), created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL);
CREATE TABLE extensions (id BIGINT PRIMARY KEY, name VARCHAR(191), type VARCHAR(20), extension VARCHAR(191), enabled TINYINT,
    deleted_at TIMESTAMP NULL);
CREATE TABLE email_logs (id BIGINT AUTO_INCREMENT PRIMARY KEY, user_id BIGINT, subject TEXT, `to` TEXT, body LONGTEXT, sent_at TIMESTAMP NULL,
    status VARCHAR(20), error TEXT, created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL);

INSERT INTO settings (`key`, value, encrypted, settingable_type) VALUES ('timezone', 'UTC', 0, NULL), ('cronjob_time', '00:00', 0, NULL),
    ('mail_disable', '0', 0, NULL), ('stripe_secret_key', 'eyJpdiI6secret', 1, 'App\\Models\\Extension'),
    ('last_scheduler_run', DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:%i:%s'), 0, 'App\\Models\\CronStat'),
    ('last_cron_run', DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL 2 HOUR, '%Y-%m-%d %H:%i:%s'), 0, 'App\\Models\\CronStat');
INSERT INTO cron_stats (`key`, value, date) SELECT k.a, 0, d.a FROM (SELECT 'invoices_created' a UNION SELECT 'orders_cancelled' UNION
    SELECT 'upgrade_invoices_updated' UNION SELECT 'services_suspended' UNION SELECT 'services_terminated' UNION SELECT 'tickets_closed' UNION
    SELECT 'email_logs_deleted' UNION SELECT 'invoice_charged') k, (SELECT UTC_DATE() a UNION SELECT UTC_DATE() - INTERVAL 1 DAY) d;
INSERT INTO extensions VALUES (1, 'Stripe', 'gateway', 'Stripe', 1, NULL), (2, 'PayPal', 'gateway', 'PayPal', 0, NULL),
    (3, 'Mollie', 'gateway', 'Mollie', 1, UTC_TIMESTAMP()), (4, 'Pterodactyl', 'server', 'Pterodactyl', 1, NULL);
INSERT INTO services (id, product_id, status) VALUES (41, 1, 'active'), (42, 1, 'pending');
INSERT INTO invoices (id, status, updated_at) VALUES (1, 'paid', UTC_TIMESTAMP() - INTERVAL 1 HOUR), (2, 'pending', UTC_TIMESTAMP());
INSERT INTO invoice_items (invoice_id, reference_type, reference_id, price, quantity) VALUES (1, 'App\\Models\\Service', 41, 9.99, 1),
    (2, 'App\\Models\\Service', 42, 5.00, 2);
INSERT INTO invoice_transactions (invoice_id, gateway_id, amount, status, created_at, updated_at) VALUES
    (1, 1, 9.99, 'succeeded', UTC_TIMESTAMP() - INTERVAL 1 HOUR, UTC_TIMESTAMP() - INTERVAL 1 HOUR);
INSERT INTO email_logs (`to`, body, status, created_at) VALUES ('ann@example.org', 'secret', 'sent', UTC_TIMESTAMP());
